"""A project, its key and a running server, on a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import running
from tracehub.projects import actions
from tracehub.projects.models import Project


@pytest.fixture
def project(committed_db) -> Project:
    return actions.create_project("skylane", "Skylane support")


@pytest.fixture
def key(project) -> str:
    return actions.create_key(project, "ingest", "test")[1]


@pytest.fixture
def url(committed_db) -> Iterator[str]:
    with running() as address:
        yield address
