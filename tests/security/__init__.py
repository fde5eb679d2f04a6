"""One test for each row of docs/threats.md that belongs to this project."""
