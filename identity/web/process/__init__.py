"""What the daemon is to its machine: the sockets it listens on, what supervises it, what succeeds it."""
