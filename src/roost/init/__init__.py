"""What `roost init` changes: hooks, noxfile and settings of a project, as text edits that keep comments and layout."""
