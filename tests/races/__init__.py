"""Real threads and real kills against the services."""
