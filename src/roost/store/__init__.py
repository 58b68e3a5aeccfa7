"""`.roost` on disk: its folders, venvs, markers, links and journal."""
