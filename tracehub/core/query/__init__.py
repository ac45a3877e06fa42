"""The filter language: text -> `Filter`, a tree that prints back as the same filter.

`model:gpt-4o* prompt:refund@v12,summary latency:>5s -tag:synthetic is:failing "exact words"`.
docs/reference/filters.md lists the keys.
"""

from __future__ import annotations

from tracehub.core.query.errors import FilterError
from tracehub.core.query.parser import parse
from tracehub.core.query.tree import Filter

__all__ = ["Filter", "FilterError", "parse"]
