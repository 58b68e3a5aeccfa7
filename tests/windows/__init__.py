"""Tests with a real CPython for Windows and the real `uv.exe`, under Wine (`tools/wine.py`)."""
