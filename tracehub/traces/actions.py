"""What changes what is known beside spans: feedback and prompt versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from django.db import transaction

from tracehub.core.share import MOST
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.masking import masked
from tracehub.projects.models import Project, User
from tracehub.traces import store
from tracehub.traces.models import PromptVersion, Sampling


@lru_cache(maxsize=10_000)
def _known(project_id: int, name: str, version: str) -> list[datetime]:
    """The earliest start that this process has registered for a prompt version, if any."""
    return []


def register_prompts(project_id: int, seen: Iterable[tuple[str, datetime]]) -> None:
    """Register prompt versions (`refund@v12`) with the earliest start they were seen at.

    Labels without a version are no versions. One statement, and none when all is known already.
    """
    earliest: dict[tuple[str, str], datetime] = {}
    for label, at in seen:
        name, _, version = label.rpartition("@")
        if name and version:
            key = (name[:200], version[:100])
            earliest[key] = min(at, earliest.get(key, at))
    news = {}
    for (name, version), at in earliest.items():
        kept = _known(project_id, name, version)
        if not kept or at < kept[0]:
            news[name, version] = at
    if not news:
        return
    store.register_prompts(project_id, news)

    def remember() -> None:
        for (name, version), at in news.items():
            _known(project_id, name, version)[:] = [at]

    transaction.on_commit(remember)


@transaction.atomic
def save_prompt(
    project: Project,
    name: str,
    version: str,
    template: str,
    *,
    author: str = "",
    message: str = "",
    order: int | None = None,
) -> tuple[PromptVersion, bool]:
    """Keep the template of a prompt version; return the version with whether that is new.

    A version that a trace registered without a template gets this one. Raises Conflict when it has
    another template: a version says the same for good.
    """
    template, message = masked(project.pk, [template, message])
    row, made = PromptVersion.objects.select_for_update().get_or_create(
        project=project, name=name, version=version, defaults={"template": template}
    )
    if not made and row.template == template:
        new = False
    elif not made and row.template:
        raise Conflict(
            f"{name}@{version} is registered with another template. Send a new version.", "version"
        )
    else:
        new = True
    row.template = template
    row.author = author or row.author
    row.message = message or row.message
    row.order = row.order if order is None else order
    row.save(update_fields=["template", "author", "message", "order"])
    return row, new


def check_share(one_in: int) -> None:
    """Raise ActionError unless 1 in `one_in` is a share that can be kept."""
    if not 1 <= one_in <= MOST:
        raise ActionError(
            f"Keep 1 in a whole number from 1 (all) to {MOST:,}. Got {one_in}.", "one_in"
        )


@transaction.atomic
def set_sampling(project: Project, one_in: int, *, by: User) -> None:
    """Keep 1 in `one_in` of the traces that nothing speaks for, of those that come from now on."""
    check_share(one_in)
    Sampling.objects.update_or_create(project=project, defaults={"one_in": one_in})
    audit("sampling.set", by=by, project=project, object=f"1 in {one_in}")
