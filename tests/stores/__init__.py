"""Every store against its contract, and what only one of them can do."""
