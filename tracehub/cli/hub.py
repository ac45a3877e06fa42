"""What `run` and `gate` need of TraceHub, from the local installation or over HTTP."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import click

from tracehub.cli import remote
from tracehub.core.cases import Case
from tracehub.core.gate_rules import Rules

EXIT_UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Version:
    """A fixed version of a set with its cases in native form."""

    slug: str
    number: int
    cases: list[Case]
    rules: Rules


class Refused(click.ClickException):
    """A gate that cannot be decided at all: no such set, run or baseline."""

    exit_code = EXIT_UNDECIDED


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


@contextlib.contextmanager
def opened(project: str) -> Iterator[Hub]:
    """Have the server that TRACEHUB_URL names, else the local installation."""
    api = remote.configured()
    if api is not None:
        yield Remote(api)
        return
    from tracehub.cli.connect import application

    with application():
        from tracehub.cli.hub_local import Local

        yield Local(project)


class Remote:
    """The hub behind TRACEHUB_URL."""

    def __init__(self, api: remote.Api) -> None:
        self._api = api

    def version(self, slug: str, number: int | None) -> Version:
        place = f"/eval-sets/{remote.part(slug)}"
        found = self._api.get(place).json()
        newest = max((one["version"] for one in found["versions"]), default=0)
        wanted = number or newest
        check_version(slug, wanted, newest)
        file = self._api.get(f"{place}/versions/{wanted}/export", format="native").body
        cases = [json.loads(line) for line in file.split(b"\n") if line]
        rules = found["gate"]
        return Version(slug, wanted, cases, Rules(**rules))

    def add_run(self, slug: str, body: Mapping[str, Any]) -> dict[str, Any]:
        run: dict[str, Any] = self._api.post(f"/eval-sets/{remote.part(slug)}/runs", body).json()
        return run

    def latest_run(self, slug: str) -> int:
        found = self._api.get(f"/eval-sets/{remote.part(slug)}/runs", limit="1").json()["items"]
        return first_run(slug, found[0]["id"] if found else None)

    def gate(self, slug: str, run: int, baseline: str, form: str) -> str:
        reply = self._api.get(f"/runs/{run}/gate", baseline=baseline, format=form)
        return reply.body.decode()


def check_version(slug: str, wanted: int, newest: int) -> None:
    """Raise ClickException unless the set has this fixed version."""
    if not newest:
        raise click.ClickException(f"{slug} has no fixed version. Fix its draft first.")
    if not 1 <= wanted <= newest:
        raise click.ClickException(f"{slug} has the versions 1 to {newest}. Got {wanted}.")


def first_run(slug: str, number: int | None) -> int:
    """Return the number of a run that must be there."""
    if number is None:
        raise Refused(f"{slug} has no run yet. Make one with: tracehub run {slug} --command CMD")
    return number
