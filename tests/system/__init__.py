"""Tests of `system/`."""
