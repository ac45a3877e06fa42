"""A project's own prices of models: set, changed and removed, each with a line in the audit log."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from tracehub.core.cost import Override
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import ModelPrice, Project, User

OTHERS = ("cached", "cache_write", "reasoning", "audio_input", "audio_output")  # may be missing
MOST = 500  # prices of one project: each call is held against all of them


def overrides(project_id: int) -> tuple[Override, ...]:
    """Return the prices as `core.cost` takes them."""
    columns = ("model", "valid_from", "input", "output", *OTHERS)
    rows = ModelPrice.objects.filter(project_id=project_id)
    return tuple(Override(**row) for row in rows.values(*columns))


@transaction.atomic
def set_price(
    project: Project,
    model: str,
    valid_from: date,
    *,
    by: User,
    input: Decimal,
    output: Decimal,
    **others: Decimal | None,
) -> ModelPrice:
    """Store a price, in place of the one of the same model and day. Raises ActionError.

    In US dollars per million tokens; `model` is a name, or a prefix that ends in `*`; a tier
    may follow, such as `:batch`. `others` may name those of OTHERS; without one, input or output
    tells.
    """
    if ModelPrice.objects.filter(project=project).count() >= MOST:
        raise ActionError(f"A project has at most {MOST} prices. Remove some first.", "model")
    numbers = {"input": input, "output": output, **{n: others.get(n) for n in OTHERS}}
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
