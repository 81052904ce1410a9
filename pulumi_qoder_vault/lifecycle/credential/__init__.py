"""A standalone credential, in a vault that another stack may own: check, diff, and the operations."""
