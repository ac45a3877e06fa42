"""What the tests of the charts share."""

from __future__ import annotations

import pytest

from tracehub.projects.models import Project


@pytest.fixture
def project(db):
    return Project.objects.create(slug="skylane", name="Skylane support")
