"""The list of failures: its filter, its order, and groups of groups."""
