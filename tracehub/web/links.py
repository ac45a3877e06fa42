"""Links between the pages of traces that keep the list a person came from."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

LIST_STATE = ("q", "from", "to", "sort")


def list_state(params: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a query string that names a list of traces: filter, range, order."""
    return {name: params[name] for name in LIST_STATE if params.get(name)}


def with_query(path: str, params: Mapping[str, str]) -> str:
    """Return `path`, with `?` and the parameters when there are any."""
    return f"{path}?{urlencode(params)}" if params else path
