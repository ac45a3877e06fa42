"""Set-up by a document: what a project should have, the way there, and going it."""
