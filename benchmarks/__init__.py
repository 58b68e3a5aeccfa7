"""Roost beside what people use today, measured in turn in one run: `python -m benchmarks`."""
