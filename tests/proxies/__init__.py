"""Forward auth through the real proxies, started with the text of their examples.

`python -m tests.proxies` runs it and prints the matrix of docs/proxies.md.
"""
