"""Tests of pure code: no clock, no network, no files."""
