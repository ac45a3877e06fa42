"""A streaming replica for lists and charts."""
