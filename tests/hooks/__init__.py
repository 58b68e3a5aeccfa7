"""Git hooks."""
