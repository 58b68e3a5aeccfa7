"""The protocol: races, crashes, signals."""
