"""The account service and its steps."""
