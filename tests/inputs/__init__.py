"""What a project says about its environments."""
