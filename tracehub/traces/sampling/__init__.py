"""Sampling of stored traces; docs/design/storage.md says how it works."""
