"""What every reader of results shares."""

from __future__ import annotations


class ResultsError(ValueError):
    """A results file that cannot be read, with the place and the reason."""
