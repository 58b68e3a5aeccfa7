"""All that asks the operating system: files, locks, processes. A port to another system adds here and nowhere else."""
