"""The nox backend."""
