"""Whole logins through real browsers, real providers and real stores."""
