"""The bytecode of new venvs: compiled once on a machine, and linked into each venv."""
