"""Pictures, sounds and documents that were taken out of spans: once a project, by their hash."""
