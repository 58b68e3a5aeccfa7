"""The hatch plugin."""
