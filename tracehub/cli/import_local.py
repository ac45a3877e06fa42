"""The doors of ingestion without a server: the same code, called from a command."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from tracehub.cli.accounts import find_project
from tracehub.ingest.access import Grant
from tracehub.ingest.errors import Refused
from tracehub.ingest.http import Request
from tracehub.ingest.routes import ROUTES
from tracehub.ingest.runtime import Ingest
from tracehub.projects import masking
from tracehub.projects.models import Scope
from tracehub.projects.prices import overrides

JSON = "application/json"


@contextlib.contextmanager
def door(project: str) -> Iterator[Callable[[str, bytes], tuple[int, bytes]]]:
    """Give a function that stores a body as the path of ingestion would, with its answer."""
    grant = _grant(project)
    with asyncio.Runner() as runner:
        ingest = Ingest()
        runner.run(ingest.start())

        async def store(path: str, body: bytes) -> tuple[int, bytes]:
            route = ROUTES[path]
            try:
                request = Request(path, {}, JSON, "", body, grant)
                answer = await route.handle(ingest, request)
            except Refused as refused:
                answer = route.refuse(refused, JSON)
            return answer.status, answer.body

        try:
            yield lambda path, body: runner.run(store(path, body))
        finally:
            runner.run(ingest.stop())


def _grant(slug: str) -> Grant:
    project = find_project(slug)
    prices = overrides(project.pk)
    masker = masking.masker_of(project.pk)
    return Grant(0, project.pk, project.slug, Scope.INGEST, b"", "import", prices, masker=masker)
