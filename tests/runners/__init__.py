"""What nox, tox and hatch have in common."""
