"""Which passwords are refused, and that nothing else is asked of one (ASVS 6.2)."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from tests.web import stories


@pytest.fixture
def person(db):
    return stories.member(stories.project(), "viewer", "maja.lind@skylane.example")


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "q1w2e3r4t5y6",
        "maja.lind@skylane",
        "TraceHub-2026",
        "skylane.support.1",
        "passwordpassword",
        "iloveyou1234",
        "qwertyuiop12",
        "abcdefghijklmnop",
        "January2026!",
        "x" * 60 + "yz" * 34,
    ],
)
def test_a_password_that_is_easily_guessed_here_is_refused(person, password):
    with pytest.raises(ValidationError):
        validate_password(password, person)


@pytest.mark.parametrize(
    "password",
    [
        "alllowercaseonly",
        "correct horse battery",
        "ぜんぶひらがなのながいことば",
        ("quiet maple anchors drift past nine velvet harbours while it snows; " * 2)[:128],
        "tracehub is not my password",
    ],
)
def test_any_composition_is_taken_as_it_comes(person, client, password):
    validate_password(password, person)
    person.set_password(password)
    person.save()
    sent = {"login": person.email, "password": password}
    assert client.post("/accounts/login/", sent).status_code == 302
    assert client.get("/skylane/traces").status_code == 200


def test_fields_hide_what_is_typed_and_let_a_manager_fill_them(person, client):
    pages = [client.get("/accounts/login/").text]
    client.force_login(person)
    pages.append(client.get("/accounts/password/set/").text)
    fields = [field for page in pages for field in re.findall(r"<input[^>]+password[^>]*>", page)]
    assert len(fields) >= 3
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field), field
        assert "onpaste" not in field
