"""Installers."""
