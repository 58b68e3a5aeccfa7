"""Configuration of Sphinx, which builds the site: `nox -s docs`."""

project = "roost"
html_title = "roost"
extensions = ["myst_parser"]
myst_heading_anchors = 4  # links to headings as on GitHub
suppress_warnings = ["toc.not_included"]  # decisions are reached from their list; a test finds pages without a link
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
