"""What people see: messages, waits, and who holds a lock."""
