"""What `run` and `gate` need of TraceHub, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import click

from tracehub.core.cases import Case
from tracehub.core.gate_rules import Rules


@dataclass(frozen=True, slots=True)
class Version:
    """A fixed version of a set with its cases in native form."""

    slug: str
    number: int
    cases: list[Case]
    rules: Rules


class Hub(Protocol):
    """Where sets are read and runs are stored. Everything is JSON as the API gives it."""

    def version(self, slug: str, number: int | None) -> Version: ...

    def add_run(self, slug: str, body: Mapping[str, Any]) -> dict[str, Any]: ...

    def latest_run(self, slug: str) -> int: ...

    def gate(self, slug: str, run: int, baseline: str, form: str) -> str: ...


def parse_name(name: str) -> tuple[str, int | None]:
    """Return slug and version of `SET[@VERSION]`; `v3` is taken for 3. Raises UsageError.

    >>> parse_name("refunds@v3"), parse_name("refunds")
    (('refunds', 3), ('refunds', None))
    """
    slug, _, version = name.partition("@")
    digits = version.removeprefix("v")
    if version and not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 10**9):
        raise click.UsageError(f"The version in SET@VERSION must be a number. Got {version!r}.")
    return slug, int(digits) if version else None


def check_version(slug: str, wanted: int, newest: int) -> None:
    """Raise ClickException unless the set has this fixed version."""
    if not newest:
        raise click.ClickException(f"{slug} has no fixed version. Fix its draft first.")
    if not 1 <= wanted <= newest:
        raise click.ClickException(f"{slug} has the versions 1 to {newest}. Got {wanted}.")


def first_run(slug: str, number: int | None) -> int:
    """Return the number of a run that must be there."""
    if number is None:
        raise click.ClickException(
            f"{slug} has no run yet. Make one with: tracehub run {slug} --command CMD"
        )
    return number
