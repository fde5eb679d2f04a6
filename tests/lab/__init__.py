"""The production decision against every interleaving, and against simulated networks and thieves."""
