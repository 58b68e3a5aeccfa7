"""Benchmarks of roost and comparable tools, measured in turn: `python -m benchmarks`."""
