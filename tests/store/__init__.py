"""`.roost` on disk."""
