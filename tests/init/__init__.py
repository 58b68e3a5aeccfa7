"""`roost init`."""
