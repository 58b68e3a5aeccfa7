"""From an empty folder to a published venv."""
