"""Installers: one class a tool. Each knows the flags of its tool, and nothing of locks, markers or the store."""
