"""Bytecode."""
