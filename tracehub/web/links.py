"""Links between the pages of traces that keep the list a person came from."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.urls.converters import StringConverter


class AnyText(StringConverter):
    """The rest of a path as it is, with slashes and line ends: an id that a sender chose."""

    regex = "(?s:.+)"


def with_query(path: str, params: Mapping[str, str]) -> str:
    """Return `path`, with `?` and the parameters when there are any."""
    return f"{path}?{urlencode(params)}" if params else path
