"""A project's own prices of models: set, changed and removed, each with a line in the audit log."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from tracehub.core.cost import Override
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import ModelPrice, Project, User

MOST = 500  # prices of one project: each call is held against all of them


def overrides(project_id: int) -> tuple[Override, ...]:
    """Return the prices as `core.cost` takes them."""
    return tuple(
        Override(p.model, p.valid_from, p.input, p.output, p.cached, p.cache_write)
        for p in ModelPrice.objects.filter(project_id=project_id)
    )


@transaction.atomic
def set_price(
    project: Project,
    model: str,
    valid_from: date,
    *,
    by: User,
    input: Decimal,
    output: Decimal,
    cached: Decimal | None = None,
    cache_write: Decimal | None = None,
) -> ModelPrice:
    """Store a price, in place of the one of the same model and day. Raises ActionError.

    In US dollars per million tokens; `model` is a name, or a prefix that ends in `*`.
    """
    if ModelPrice.objects.filter(project=project).count() >= MOST:
        raise ActionError(f"A project has at most {MOST} prices. Remove some first.", "model")
    numbers = {"input": input, "output": output, "cached": cached, "cache_write": cache_write}
    price, _ = ModelPrice.objects.update_or_create(
        project=project, model=model, valid_from=valid_from, defaults=numbers
    )
    said = {name: str(value) for name, value in numbers.items() if value is not None}
    audit("price.set", by=by, project=project, object=str(price), **said)
    return price


@transaction.atomic
def remove_price(price: ModelPrice, *, by: User) -> None:
    """Forget a price: what it covered is priced by another one, or by the public list."""
    audit("price.removed", by=by, project=price.project, object=str(price))
    price.delete()
