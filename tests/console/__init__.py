"""Messages: terminals, escapes, secrets."""
