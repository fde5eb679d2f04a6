"""Measurements: each module has a `main()` that prints a small table; `python -m tests.bench` runs them all."""
