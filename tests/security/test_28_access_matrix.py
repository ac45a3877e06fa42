"""28: every route, method and identity against the table written by hand; new routes need a row.

29: ids of another project are answered as ids that do not exist, after as many statements: an
answer that took longer would tell them apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver

from tests.security import access_table as table
from tests.security import world as worlds
from tracehub.ingest.routes import ROUTES

SLUG = "<slug:slug>/"
API = "api/v1/"
REFUSALS = (302, 401, 403, 404, 405)


def _walk(patterns, before: str = "") -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield path
        else:
            yield from _walk(each.url_patterns, path)


URLCONF = list(_walk(get_resolver().url_patterns))


@pytest.fixture
def ours(db) -> worlds.World:
    return worlds.make("skylane", 1)


@pytest.fixture
def theirs(db, ours) -> worlds.World:
    return worlds.make("borealis", 2)


@contextmanager
def taken_back() -> Iterator[None]:
    """Each request meets the world as it was made."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def ask(client: Client, method: str, path: str, **headers: str):
    with taken_back():
        return client.generic(method, path, headers=headers)


def ask_api(method: str, path: str, key: str = "", client: Client | None = None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with taken_back():
        return (client or Client()).generic(
            method, f"/{API}{path}", "{}", content_type="application/json", headers=headers
        )


def test_every_route_has_its_row_and_every_row_its_route():
    rows = {*table.OUTSIDE, *table.ALLAUTH, *table.OPERATORS, *(SLUG + r for r in table.PAGES)}
    rows |= {API + r for r in table.CALLS} | {API + "^(?P<rest>.*)$"}
    assert set(URLCONF) - rows == set(), "give these routes a row in access_table.py"
    assert rows - set(URLCONF) == set(), "these rows name no route any more"
    assert set(ROUTES) == set(table.INGESTION)


def expected(need: str | None, who: str) -> str:
    if need is None:
        return "405"
    if need == "open":
        return "let in"
    if who == "nobody":
        return "sign in"
    if who == "outsider":
        return "let in" if need == "person" else "404"
    if need == "person" or table.ORDER[who] >= table.ORDER[need]:
        return "let in"
    return "403"


def seen(answer) -> str:
    status = answer.status_code
    if status == 302 and answer["Location"].startswith("/accounts/login/"):
        return "sign in"
    if status < 400 or status in (400, 409, 410, 422, 503):
        return "let in"
    return str(status)


PEOPLE = ("nobody", "outsider", "viewer", "reviewer", "admin")
# What stays hidden from those let in, too: no such undo token; no skip of theirs to take back; a
# seat that was never lost; only readyz may say 503.
ALSO_FINE = {
    "traces/undo/<str:token>": "404",
    "failures/undo/<str:token>": "404",
    "failures/act": "404",
    "traces/verdict": "404",
    "traces/jobs/<int:job_id>/file": "404",  # not an export
    "metrics/dashboards/<int:board_id>": "404",  # another person's
    "metrics/dashboards/<int:board_id>/restore": "404",
    "traces/views/<int:view_id>": "404",  # another person's, for all but one
    "traces/views/<int:view_id>/restore": "404",
    "review/<slug:queue_slug>/unskip/<int:seat_id>": "404",
    "evals/<slug:set_slug>/cases/<str:case_id>/restore": "404",
}


def also_fine(route: str, want: str, who: str) -> set[str]:
    if want == "let in":
        return {ALSO_FINE[rest]} if (rest := route.partition("/")[2]) in ALSO_FINE else set()
    return {"sign in"} if want == "405" and who == "nobody" else set()


def test_each_page_answers_each_person_as_the_table_says(ours, theirs):
    wrong = []
    pages = {f"{ours.word}/{route}": rule for route, rule in table.PAGES.items()}
    for who in PEOPLE:
        client = theirs.client("admin") if who == "outsider" else ours.client(who)
        for route, rule in {**pages, **table.OUTSIDE}.items():
            for method in table.METHODS:
                if method not in rule and who not in ("nobody", "admin"):
                    continue  # a method that is not there is so for all: two ask
                answer = ask(client, method, "/" + ours.path(route))
                want, got = expected(rule.get(method), who), seen(answer)
                if got not in {want, *also_fine(route, want, who)} and len(wrong) < 90:
                    wrong.append(f"{who}: {method} /{route}: {answer.status_code}, not {want}")
    assert wrong == []


def test_a_key_opens_no_page(ours):
    client = Client()
    for scope in table.SCOPES:
        for route in ("traces", "settings", "evals", "traces/<str:trace_id>"):
            path = f"/{ours.word}/{ours.path(route)}"
            answer = ask(client, "GET", path, authorization=f"Bearer {ours.keys[scope]}")
            assert seen(answer) == "sign in", (scope, route)


def test_each_call_answers_each_key_as_the_table_says(ours):
    wrong = []
    for who in ("none", "broken", "person", *table.SCOPES):
        key = ours.keys.get(who, "th_api_0123456789_" + "a" * 38 if who == "broken" else "")
        client = ours.client("admin") if who == "person" else Client()
        for route, rule in table.CALLS.items():
            for method in table.METHODS:
                need = rule.get(method)
                status = ask_api(method, ours.path(route), key, client).status_code
                if not fine(status, need, who):
                    wrong.append(f"{who}: {method} {route}: {status}, needs {need}")
    assert wrong == []


def fine(status: int, need: str | None, who: str) -> bool:
    if need is None:
        return status == 405
    if need == "open":
        return status == 200
    if who not in table.SCOPES:
        return status == 401
    return status in (200, 201, 400, 409) if need in table.SCOPES[who] else status == 403


def _told(answer) -> tuple[int, str]:
    """Status and body without what differs from request to request."""
    text = answer.text if not answer.streaming else ""
    return answer.status_code, re.sub(r"nonce=\"[^\"]*\"|[0-9a-f]{32}", "", text)


OBJECTS = [route for route in table.PAGES if "<" in route]


def test_29_ids_of_another_project_read_like_ids_that_are_not_there(ours, theirs):
    client = ours.client("admin")
    for route in OBJECTS:
        for method in table.PAGES[route]:
            with CaptureQueriesContext(connection) as for_foreign:
                foreign = ask(client, method, f"/{ours.word}/{theirs.path(route)}")
            with CaptureQueriesContext(connection) as for_absent:
                absent = ask(client, method, f"/{ours.word}/{ours.path(route, worlds.ABSENT)}")
            if route == "contracts/<str:name>":  # a name that is free is an offer to fill it
                told = _told(foreign)[1].replace(str(theirs.objects["name"]), "")
                assert foreign.status_code == absent.status_code
                assert theirs.word not in told
                continue
            assert theirs.word not in _told(foreign)[1].replace(foreign.request["PATH_INFO"], "")
            if "skip/<str:trace_id>" in route:  # goes on to the next trace, skipped or not
                assert (foreign.status_code, absent.status_code) == (404, 404)
                continue
            assert foreign.status_code in (404, 409), route
            assert _told(foreign) == _told(absent), route
            assert len(for_foreign) == len(for_absent), route


def test_29_a_key_finds_nothing_of_another_project(ours, theirs):
    bodies = {"POST traces/<str:trace_id>/reviews": {"verdict": "fail"}}
    for route, rule in table.CALLS.items():
        if "<" not in route:
            continue
        for method in rule:
            body = json.dumps(bodies.get(f"{method} {route}", {}))
            told = []
            for path in (theirs.path(route), ours.path(route, worlds.ABSENT)):
                with CaptureQueriesContext(connection) as statements, taken_back():
                    answer = Client().generic(
                        method, f"/{API}{path}", body, content_type="application/json",
                        headers={"authorization": f"Bearer {ours.keys['admin']}"},
                    )  # fmt: skip
                words = [*map(str, theirs.objects.values()), *map(str, worlds.ABSENT.values())]
                text = answer.text
                for word in sorted(set(words), key=len, reverse=True):
                    text = text.replace(word, "ID") if len(word) > 2 else text
                told.append((answer.status_code, text, len(statements)))
            assert told[0][0] in (400, 404), route
            assert told[0] == told[1], f"{method} {route}"


def test_29_no_list_count_or_file_holds_a_word_of_another_project(ours, theirs):
    client = ours.client("admin")
    for route, rule in table.PAGES.items():
        if "GET" in rule:
            answer = ask(client, "GET", f"/{ours.word}/{ours.path(route)}")
            if not answer.streaming:
                assert theirs.word not in answer.text, route
    for route, rule in table.CALLS.items():
        if "GET" in rule:
            answer = ask_api("GET", ours.path(route), ours.keys["admin"])
            assert theirs.word not in answer.text, route
