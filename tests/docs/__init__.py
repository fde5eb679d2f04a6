"""Tests that compare the documents with the code, and the code with its own rules."""
