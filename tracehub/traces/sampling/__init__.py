"""Sampling of stored traces; docs/design/sampling.md says how it works."""
