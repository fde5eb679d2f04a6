"""Tests of the tokens that are kept for applications."""
