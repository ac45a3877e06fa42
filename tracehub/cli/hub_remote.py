"""The hub that TRACEHUB_URL names, else the local installation."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tracehub.cli import remote
from tracehub.cli.hub import Hub, Version, check_version, first_run
from tracehub.core.gate_rules import Rules


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
