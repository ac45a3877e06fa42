"""Two projects with a key of each scope, and a client that speaks JSON with a key."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from django.test import Client

from tracehub.projects.actions import create_key
from tracehub.projects.models import Project, Scope


@dataclass
class Api:
    """Calls of `/api/v1` with one key; `key` of "" sends none."""

    key: str
    client: Client

    def __call__(self, method: str, path: str, body=None, **headers):
        given = {"authorization": f"Bearer {self.key}"} if self.key else {}
        data = (
            {"data": body if isinstance(body, bytes) else json.dumps(body)}
            if body is not None
            else {}
        )
        return self.client.generic(
            method, f"/api/v1{path}", **data, headers={**given, **headers},
            content_type=headers.get("content-type", "application/json"),
        )  # fmt: skip

    def get(self, path: str):
        return self("GET", path)

    def post(self, path: str, body=None, **headers):
        return self("POST", path, body, **headers)


@pytest.fixture
def project(db) -> Project:
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def other(db) -> Project:
    return Project.objects.create(slug="other", name="Another tenant")


@pytest.fixture
def key(project):
    """`key("viewer")`: a client with a new key of that scope, for `project` unless said."""

    def make(scope: str, of: Project = project) -> Api:
        return Api(create_key(of, scope, f"{scope} key")[1] if scope else "", Client())

    return make


@pytest.fixture
def keys(key) -> dict[str, Api]:
    return {scope: key(scope) for scope in Scope.values}


@pytest.fixture
def admin(key) -> Api:
    return key("admin")


@pytest.fixture
def reviewer(key) -> Api:
    return key("reviewer")


@pytest.fixture
def viewer(key) -> Api:
    return key("viewer")
