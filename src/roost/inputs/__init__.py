"""What a project says about its environments: its files, settings, interpreter and lock files."""
