"""A trace beside another: candidates by input, steps that pair, words that differ."""

from __future__ import annotations

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.trace import Prompt
from tracehub.web.trace_view import compared

pytestmark = pytest.mark.django_db


def test_the_same_input_under_another_prompt_comes_first_and_is_held_word_by_word(client):
    project = stories.project()
    client.force_login(stories.member(project, "viewer"))

    def answer(version: str, said: str, asked: str = "Refund X7K2QD, please") -> str:
        return factory.trace(
            project, name="ask", prompt=Prompt("refund", version),
            input=factory.chat(("user", asked)), output=factory.chat(("assistant", said)),
        )  # fmt: skip

    one = answer("v11", "You get 418 EUR back.")
    same = answer("v11", "You get 418 EUR back.")
    other = answer("v12", "You get 400 EUR back.")
    different = answer("v12", "No.", asked="Refund X7K2QD now")
    page = client.get(f"/skylane/traces/{one}/diff").text
    assert page.index(f"with={other}") < page.index(f"with={same}")
    assert f"with={different}" not in page
    page = client.get(f"/skylane/traces/{one}/diff?with={other}").text
    assert "Both traces had the same input" in page
    assert "You get <mark>418</mark> EUR back." in page
    assert "You get <mark>400</mark> EUR back." in page
    assert "1 of 1 differ" in page
    assert client.get(f"/skylane/traces/{one}/diff?with=nothing").status_code == 404
    assert f"/skylane/traces/{one}/diff" in client.get(f"/skylane/traces/{one}").text


def test_steps_pair_by_kind_and_name_in_their_order():
    t, u = "a" * 32, "b" * 32
    one = [factory.span(t, name="a", output="1"), factory.span(t, name="a", output="2")]
    other = [
        factory.span(u, name="a", output="1"), factory.span(u, name="b"),
        factory.span(u, name="a", output="3"),
    ]  # fmt: skip
    found = compared.steps(one, other)
    assert [(s.name, s.said) for s in found] == [
        ("a", "same"), ("a", "differs"), ("b", "only there"),
    ]  # fmt: skip
    assert compared.sides(found[2])[0].left == []
