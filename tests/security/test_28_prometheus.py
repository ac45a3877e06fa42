"""28: `/metrics` is for this machine and for admin keys, also behind a proxy on this machine."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.security import world as worlds


@pytest.fixture
def ours(db):
    return worlds.make("skylane", 1)


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=x"}])
def test_28_from_elsewhere_the_numbers_need_an_admin_key(ours, headers):
    address = "127.0.0.1" if headers else "192.0.2.7"
    client = Client(REMOTE_ADDR=address, headers=headers)
    assert client.get("/metrics").status_code == 401
    client.force_login(ours.people["admin"])  # being signed in is no key
    assert client.get("/metrics").status_code == 401
    for scope, key in ours.keys.items():
        answer = client.get("/metrics", headers={"authorization": f"Bearer {key}", **headers})
        assert answer.status_code == (200 if scope == "admin" else 401), scope


def test_28_the_numbers_name_no_trace_and_no_person(ours):
    text = Client().get("/metrics").text
    for word in (ours.objects["trace_id"], "skylane.example", "refund", "gpt-4o"):
        assert str(word) not in text
