"""The session service over a store, without HTTP."""
