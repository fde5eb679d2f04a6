"""The tests: unit, stores, contracts, providers, web, races, security, docs, e2e; shared parts in support."""
