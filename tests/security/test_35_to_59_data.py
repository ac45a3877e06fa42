"""35, 38, 49, 51, 54 to 59: sealed reviews, filters, files, templates, messages and schemas."""

from __future__ import annotations

import csv
import json
import time
from uuid import UUID

import pytest
from django.test import Client

from tests import trace_factory as factory
from tests.security import hostile
from tests.security import world as worlds
from tests.web import stories
from tracehub.cli import export_traces
from tracehub.core.contracts import bounds
from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.query import FilterError, parse
from tracehub.projects import actions
from tracehub.review import actions as reviews
from tracehub.review import queueing
from tracehub.review.models import Review
from tracehub.traces.models import Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours():
    return worlds.make("skylane", 1)


def api(world, path, scope="admin", **headers):
    key = {"authorization": f"Bearer {world.keys[scope]}", **headers}
    return Client().get(f"/api/v1/{path}", headers=key)


@pytest.fixture
def blind():
    """A blind item with one of its two reviews given: `tor` said fail, `ada` has yet to speak."""
    project = stories.project()
    tor = stories.member(project, "reviewer", "tor@skylane.example")
    ada = stories.member(project, "reviewer", "ada@skylane.example")
    trace = factory.trace(project)
    reviews.create_mode(project, "Sealed mode", slug="sealed-mode")
    queueing.create_queue(project, "Blind", blind=True, overlap=100, reviewers=[tor, ada])
    reviews.submit_review(project, UUID(hex=trace), "fail", author=tor, modes=["sealed-mode"],
                          note="sealed note")  # fmt: skip
    factory.digest_now(project, trace)
    return project, trace, ada


def test_35_a_blind_review_is_absent_everywhere_before_the_own_one(blind):
    project, trace, ada = blind
    key = actions.create_key(project, "reviewer", "ada")[1]
    client = Client()
    client.force_login(ada)
    pages = ("traces", f"traces/{trace}", f"traces/{trace}/json", f"traces/{trace}?queue=blind",
             "failures", "review/blind", "review/blind/labels.csv",
             "review/blind/disagreements", "metrics")  # fmt: skip
    for page in pages:
        assert "sealed note" not in client.get(f"/skylane/{page}", follow=True).text, page
    for q in ("verdict:fail", "mode:sealed-mode", "is:reviewed", "reviewer:tor@skylane.example",
              'note:"sealed note"'):  # fmt: skip
        answer = Client().get("/api/v1/traces", {"q": q}, headers={"x-api-key": key})
        assert answer.json()["items"] == [], q
    whole = Client().get(f"/api/v1/traces/{trace}", headers={"x-api-key": key}).json()
    assert (whole["verdict"], whole["reviews"], whole["failure_modes"]) == (None, [], [])
    facets = Client().get("/api/v1/facets", headers={"x-api-key": key}).text
    assert "sealed-mode" not in facets


def test_38_a_review_sent_twice_is_one(ours):
    before = Review.objects.count()
    client = ours.client("reviewer")
    form = {"verdict": "pass", "submission": "5f0c6f1e-6d1b-4a53-9c39-0f8f0f2f7a11"}
    path = f"/skylane/traces/{ours.objects['trace_id']}/review"
    for _ in range(3):
        assert client.post(path, form).status_code == 302
    assert Review.objects.count() == before + 1


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\0=1", "＝1", "＋1", "－1", "＠x"]
)
def test_49_a_cell_that_leads_like_a_formula_is_text(text):
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(f"a{text}") == f"a{text}"


def test_49_each_csv_is_guarded_and_json_is_exact(ours, tmp_path):
    evil = '=HYPERLINK("https://evil.example")'
    trace = factory.trace(ours.project, name=evil, input=factory.chat(("user", evil)))
    queued = ours.objects["trace_id"]
    for reviewed in (trace, queued):
        reviews.submit_review(ours.project, UUID(hex=reviewed), "fail", note=evil,
                              author=ours.people["reviewer"])  # fmt: skip
    factory.digest_now(ours.project, trace)
    made = api(ours, f"traces/{trace}").json()
    assert made["spans"][0]["input"]["messages"][0]["content"][0]["text"] == evil
    admin = ours.client("admin")
    for path in ("settings/audit.csv", "metrics?format=csv", "review/skylane-queue/labels.csv"):
        for row in csv.reader(admin.get(f"/skylane/{path}").text.splitlines()):
            assert not any(c.startswith(("=", "+", "@")) for c in row), path
    assert f"'{evil}" in {
        cell for row in csv.reader(admin.get(f"/skylane/{path}").text.splitlines()) for cell in row
    }
    export_traces.write("", ("", ""), "csv", str(tmp_path / "t.csv"), project="skylane")
    export_traces.write("", ("", ""), "jsonl", str(tmp_path / "t.jsonl"), project="skylane")
    rows = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))
    assert f"'{evil}" in {cell for row in rows for cell in row}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert json.dumps(evil) in (tmp_path / "t.jsonl").read_text()


@pytest.mark.parametrize(
    "name", ["../../x", "a\r\nSet-Cookie: b=1", "x" * 120, "CON", 'a";x="b', "\u202efdp.exe", "ä/ö"]
)
def test_51_a_file_is_named_by_slug_whatever_the_name_says(ours, name):
    made = ours.project.eval_sets.get(slug="skylane-set")
    made.name = name
    made.save()
    ours.project.name = name[:100]
    ours.project.save()
    path = "eval-sets/skylane-set/versions/1/export?format="
    for form in ("native", "promptfoo", "csv"):
        answer = api(ours, path + form)
        if answer.status_code == 400:
            continue
        given = answer.headers["content-disposition"]
        assert given.startswith('attachment; filename="skylane-set'), given
        assert "Set-Cookie" not in given
        assert given.count('"') == 2
        assert not answer.cookies


SLOW = "(a+)+$"


def test_54_a_pattern_runs_in_linear_time():
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": SLOW}}}
    began = time.monotonic()
    checked = bounds.check_schema(schema)
    assert not checked.is_valid({"x": "a" * 1_000_000 + "!"})
    assert time.monotonic() - began < 30  # a backtracking engine would not end


INJECTIONS = (
    "model:'; DROP TABLE traces_trace; --", 'model:"\') OR 1=1 --"', "attr.x'y:1", "meta.a'--:1",
    "latency:>1;select", "name:%27%20OR%201=1", "tag:\\", "'; SELECT pg_sleep(9) --",
    "attr.a\"b:1", "score.x';--:>1", "name:$1", "name:%s",
)  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_55_sql_in_a_filter_is_a_word_or_an_error(ours, text):
    count = Trace.objects.count()
    for call in ("traces", "facets"):
        key = {"authorization": f"Bearer {ours.keys['viewer']}"}
        answer = Client().get(f"/api/v1/{call}", {"q": text}, headers=key)
        assert answer.status_code in (200, 400), answer.text
        assert answer.json().get("items", []) == [] or call == "facets"
    assert Trace.objects.count() == count
    for sort in ("started_at;--", "-cost desc", "(select 1)", "project_id", "__class__"):
        assert api(ours, f"traces?sort={sort}").status_code == 400


def test_55_percent_and_underscore_are_letters(ours):
    for text in ("%", "input:_", "input:%", "name:airline_support", "name:air%"):
        key = {"authorization": f"Bearer {ours.keys['viewer']}"}
        found = Client().get("/api/v1/traces", {"q": text}, headers=key).json()["items"]
        assert found == [], text


@pytest.mark.parametrize(
    "text",
    [" ".join(f"w{n}" for n in range(10_000)), "(" * 200 + "a" + ")" * 200, "a OR " * 5000 + "a",
     "-" * 10_000 + "a", '"' + "x" * 200_000],
    ids=["terms", "parentheses", "or", "minus", "long"],
)  # fmt: skip
def test_56_a_filter_without_end_is_400_that_names_the_limit(text):
    began = time.monotonic()
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert time.monotonic() - began < 30
    assert refused.value.message


def test_56_many_wildcards_end_in_time(ours):
    key = {"authorization": f"Bearer {ours.keys['viewer']}"}
    began = time.monotonic()
    answer = Client().get("/api/v1/traces", {"q": "name:*a*b*c*d*e*f*g*"}, headers=key)
    assert answer.status_code in (200, 400)
    assert time.monotonic() - began < 50  # the statement ends after 5


def test_57_a_template_is_shown_and_never_formatted(ours):
    template = "{0.__class__.__mro__} {{7*7}} {% include 'base.html' %} ${7*7} #{7*7}"
    body = {"name": "refund", "version": "v99", "template": template}
    made = Client().post("/api/v1/prompts", json.dumps(body), content_type="application/json",
                         headers={"authorization": f"Bearer {ours.keys['admin']}"})  # fmt: skip
    assert made.json()["template"] == template
    world = hostile.project("hostile")
    page = world.client("admin").get(f"/hostile/traces/{world.objects['trace_id']}").text
    assert "{{7*7}}" in page
    assert "49 " not in page.partition("{{7*7}}")[2][:40]


def test_58_the_broker_takes_json_only_and_messages_hold_no_content(settings):
    from tracehub.celery import app

    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.result_backend is None
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if name.startswith("tracehub.")]
    assert ours
    for task in ours:
        taken = task.run.__code__.co_varnames[: task.run.__code__.co_argcount]
        assert set(taken) <= {"self"} or all(name.endswith("_id") for name in taken), task.name


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://evil.example/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "http://169.254.169.254/latest"},
        {"properties": {"x": {"$dynamicRef": "https://evil.example/x"}}},
        {"enum": ["x" * 5_000_000]},
    ],
    ids=["https", "file", "metadata", "dynamic", "5 MB"],
)
def test_59_a_schema_loads_nothing_and_has_a_bound(ours, schema, monkeypatch):
    import socket

    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("it asked the network"))
    body = {"name": "x", "applies_to": {"prompt": "p"}, "schema": schema}
    answer = Client().post("/api/v1/contracts", json.dumps(body), content_type="application/json",
                           headers={"authorization": f"Bearer {ours.keys['admin']}"})  # fmt: skip
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_59_a_schema_that_refers_to_itself_ends(ours):
    endless = {"$ref": "#"}
    body = {"name": "x", "applies_to": {"prompt": "refund"}, "schema": endless}
    answer = Client().post("/api/v1/contracts", json.dumps(body), content_type="application/json",
                           headers={"authorization": f"Bearer {ours.keys['admin']}"})  # fmt: skip
    if answer.status_code == 201:
        trace = stories.refund_trace(ours.project, 77)
        assert api(ours, f"traces/{trace}").status_code == 200
    else:
        assert answer.json()["error"]["field"] == "schema"
