"""Tests of roost, with real processes, real uv, real git."""
