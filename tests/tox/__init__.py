"""The tox backend."""
