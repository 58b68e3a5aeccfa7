"""What nox, tox and hatch need: whether an installation changes an environment, and leases for a process."""
