"""Tests by chance and by search; their long forms take minutes."""
