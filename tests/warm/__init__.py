"""Starts that find everything unchanged."""
