"""What is wrong with a filter, in words its author can act on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)  # not frozen: contextlib sets __traceback__ on what passes through it
class FilterError(ValueError):
    """A filter its author can mend: `start:end` marks the text, `fix` replaces it."""

    start: int
    end: int
    message: str  # "latency needs a duration such as 5s or 800ms. Got '5sec'."
    fix: str | None = None

    def __str__(self) -> str:
        return self.message

    def mended(self, text: str) -> str | None:
        """Return `text` with the fix in place; None when there is no fix."""
        if self.fix is None:
            return None
        return f"{text[: self.start]}{self.fix}{text[self.end :]}".strip()
