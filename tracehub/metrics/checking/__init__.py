"""Comparing the rollups with the traces they were counted from, and mending them."""
