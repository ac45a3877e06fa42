"""Pages of lists whose rows have a number that only grows: eval sets, cases, failure modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from tracehub.api import cursors
from tracehub.api.requests import ApiRequest, Param
from tracehub.api.router import Answer

M = TypeVar("M", bound=Model)
LIMIT = Param("limit", "How many items at most, 50 unless said.", "whole", maximum=200)
CURSOR = Param("cursor", "The next of the answer before, to go on from there.")


def page(
    asked: ApiRequest,
    rows: QuerySet[M],
    key: str,
    name: str,
    as_json: Callable[[M], Any],
) -> Answer:
    """Answer one page of `rows`, by the number in the field `key`. `name` tells lists apart."""
    listing = {"project": asked.project.pk, "list": name}
    limit = asked.whole("limit", 50)
    if cursor := asked.query.get("cursor"):
        rows = rows.filter(**{f"{key}__gt": cursors.decode(cursor, listing)})
    found = list(rows.order_by(key)[: limit + 1])
    more = len(found) > limit
    place = getattr(found[limit - 1], key) if more else None
    return Answer(
        {
            "items": [as_json(row) for row in found[:limit]],
            "next": cursors.encode(listing, place) if more else None,
        }
    )
