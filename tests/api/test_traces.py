from __future__ import annotations

import json

import pytest

from tests import trace_factory as factory
from tracehub.core.trace import SpanFacts, Tokens, ValidationError
from tracehub.review.models import Review

NS = 1_000_000_000
T0 = 1_795_513_212  # 2026-11-24T09:40:12Z


def stored(project, *, at: float = 0, **fields) -> str:
    return factory.trace(project, start_ns=int((T0 + at) * NS), **fields)


def test_a_trace_is_given_whole_also_before_the_worker_saw_it(project, viewer):
    trace_id = factory.trace(
        project,
        digested=False,
        tokens=Tokens(input=10, output=5, total=15),
        validation_errors=[ValidationError("/refund", "type", "must be number")],
        facts=SpanFacts(environment="production", tags=["eu"]),
    )
    trace = viewer.get(f"/traces/{trace_id.upper()}").json()
    assert (trace["trace_id"], trace["project"]) == (trace_id, "skylane")
    assert (trace["environment"], trace["tags"]) == ("production", ["eu"])
    assert trace["tokens"]["total"] == 15
    assert trace["input"] == "Refund X7K2QD"
    assert [s["kind"] for s in trace["signals"]] == ["validation_error"]
    assert (trace["verdict"], trace["reviews"], trace["failing"]) == (None, [], True)
    assert trace["spans"][0]["validation_errors"][0]["pointer"] == "/refund"
    assert viewer.get("/traces").json()["items"] == []


def test_the_list_gives_the_same_trace_without_spans(project, viewer):
    trace_id = stored(project, tokens=Tokens(input=10, output=5, total=15))
    whole = viewer.get(f"/traces/{trace_id}").json()
    listed = viewer.get("/traces").json()["items"]
    assert len(listed) == 1
    spans = whole.pop("spans")
    assert len(spans) == 1
    assert listed[0] == whole


def test_raw_gives_what_was_received(project, viewer):
    trace_id = stored(project, attributes={"gen_ai.system": "openai", "odd": {"__proto__": 1}})
    raw = viewer.get(f"/traces/{trace_id}/raw").json()
    assert raw["trace_id"] == trace_id
    assert raw["spans"][0]["attributes"] == {"gen_ai.system": "openai", "odd": {"__proto__": 1}}
    assert raw["truncated"] is False


def test_a_filter_and_a_range_narrow_the_list(project, viewer):
    old = stored(project, at=-86400, model="gpt-4o-mini")
    new = stored(project, model="gpt-4o")
    ids = lambda query: [t["trace_id"] for t in viewer.get(f"/traces?{query}").json()["items"]]  # noqa: E731
    assert ids("") == [new, old]
    assert ids("sort=started_at") == [old, new]
    assert ids("q=model:gpt-4o-mini") == [old]
    assert ids("from=2026-11-24T09:00:00Z&to=2026-11-24T10:00:00%2B00:00") == [new]
    assert ids("to=2026-11-24") == [old]


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "latency", "-latency", "-cost"])
def test_pages_neither_skip_nor_repeat_while_rows_arrive(project, viewer, sort):
    first = {stored(project, at=n // 2, duration_ns=(n % 3) * NS or None) for n in range(7)}
    seen, path = [], f"/traces?sort={sort}&limit=2&from=2026-11-24"
    page = viewer.get(path).json()
    while True:
        seen += [trace["trace_id"] for trace in page["items"]]
        stored(project, at=1000 + len(seen), duration_ns=(len(seen) % 3) * NS)
        if page["next"] is None:
            break
        page = viewer.get(f"{path}&cursor={page['next']}").json()
    assert len(seen) == len(set(seen))
    assert first <= set(seen)


def test_a_cursor_keeps_the_range_of_an_age(project, viewer):
    for _ in range(3):
        factory.trace(project)
    page = viewer.get("/traces?from=1h&limit=2").json()
    rest = viewer.get(f"/traces?from=1h&limit=2&cursor={page['next']}").json()
    assert (len(rest["items"]), rest["next"]) == (1, None)


def test_a_cursor_fits_only_its_own_list(project, viewer, other, key):
    for _ in range(2):
        factory.trace(project)
    cursor = viewer.get("/traces?limit=1").json()["next"]
    assert viewer.get(f"/traces?limit=1&cursor={cursor}").status_code == 200
    for path in (
        f"/traces?limit=1&cursor={cursor[:-1]}",
        f"/traces?limit=1&cursor={cursor}&sort=latency",
        f"/traces?limit=1&cursor={cursor}&q=is:failing",
        f"/eval-sets?cursor={cursor}",
    ):
        answer = viewer.get(path)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "cursor"), path
    assert key("viewer", of=other).get(f"/traces?limit=1&cursor={cursor}").status_code == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=%D9%A3", "limit"),
        ("sort=name", "sort"),
        ("sort=-", "sort"),
        ("cursor=%00", "cursor"),
        ("from=yesterday", "from"),
        ("to=yesterday", "to"),
        ("from=1h&to=2h", "from"),
        ("q=latency:%3E5sec", "q"),
        ("q=modle:x", "q"),
        ("q=%00", "q"),
        ("q=(", "q"),
        ("page=2", "page"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(viewer, query, field):
    answer = viewer.get(f"/traces?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


def test_a_wrong_filter_says_what_to_try(viewer):
    message = viewer.get("/traces?q=modle:gpt-4o").json()["error"]["message"]
    assert "Did you mean" in message
    assert message.endswith("Try: mode:gpt-4o")


def test_facets_count_values_by_key(project, viewer):
    for model in ("gpt-4o", "gpt-4o", "gpt-4o-mini"):
        factory.trace(project, model=model)
    counts = {
        (item["key"], item["value"]): item["count"]
        for item in viewer.get("/facets?q=model:gpt-4o").json()["items"]
    }
    assert counts["model", "gpt-4o"] == 2
    assert counts["model", "gpt-4o-mini"] == 1
    assert counts["verdict", "none"] == 2


REVIEW = {"verdict": "fail", "failure_modes": ["wrong-amount"], "severity": "high", "note": "No"}


@pytest.fixture
def mode(admin):
    made = admin.post("/failure-modes", {"name": "Wrong amount", "definition": "Not the fare"})
    assert made.status_code == 201
    return made.json()


def test_a_review_counts_at_once_and_in_the_list_after_the_worker(project, reviewer, mode):
    trace_id = factory.trace(project)
    made = reviewer.post(f"/traces/{trace_id}/reviews", {**REVIEW, "corrected_output": None})
    assert made.status_code == 201
    review = made.json()
    assert {k: review[k] for k in REVIEW} == REVIEW
    assert review["author"] == "reviewer key"
    whole = reviewer.get(f"/traces/{trace_id}").json()
    assert (whole["verdict"], whole["failure_modes"]) == ("fail", ["wrong-amount"])
    assert whole["reviews"] == [review]
    factory.digest_now(project, trace_id)
    assert reviewer.get("/traces?q=verdict:fail").json()["items"][0]["reviews"] == [review]


def test_a_review_sent_twice_is_one(project, reviewer, mode):
    trace_id = factory.trace(project)
    path = f"/traces/{trace_id}/reviews"
    first, again = reviewer.post(path, REVIEW), reviewer.post(path, REVIEW)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    changed = reviewer.post(path, {**REVIEW, "verdict": "pass"})
    back = reviewer.post(path, REVIEW)
    assert (changed.status_code, back.status_code) == (201, 201)
    keyed = [
        reviewer.post(path, {"verdict": "unsure"}, **{"idempotency-key": "r-1"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in keyed] == [201, 200]
    assert Review.objects.count() == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "verdict"),
        ({"verdict": "bad"}, "verdict"),
        ({"verdict": "fail", "failure_modes": ["nope"]}, "failure_modes"),
        ({"verdict": "fail", "failure_modes": "nope"}, "failure_modes"),
        ({"verdict": "fail", "severity": "huge"}, "severity"),
        ({"verdict": "fail", "author": "me"}, "author"),
        ({"verdict": "fail", "note": "x" * 10_001}, "note"),
    ],
)
def test_a_wrong_review_is_refused(project, reviewer, body, field):
    answer = reviewer.post(f"/traces/{factory.trace(project)}/reviews", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


def test_a_nul_in_a_note_is_kept_visibly(project, reviewer):
    answer = reviewer.post(
        f"/traces/{factory.trace(project)}/reviews", {"verdict": "fail", "note": "a\x00b"}
    )
    assert (answer.status_code, answer.json()["note"]) == (201, "a�b")


def test_failure_modes_are_listed_and_their_slugs_are_taken_once(admin, viewer, mode):
    assert viewer.get("/failure-modes").json() == {"items": [mode], "next": None}
    again = admin.post("/failure-modes", {"name": "Wrong amount", "definition": "Not the fare"})
    assert (again.status_code, again.json()) == (200, mode)
    for more in ({"definition": "Rude"}, {"examples": ["0" * 32]}):
        other = admin.post("/failure-modes", {"name": "Wrong amount", **more})
        assert (other.status_code, other.json()["error"]["field"]) == (409, *more)
    taken = admin.post("/failure-modes", {"name": "Other", "slug": "wrong-amount"})
    assert taken.status_code == 409


def test_a_prompt_version_keeps_its_template(key):
    ingest = key("ingest")
    body = {"name": "refund", "version": "v12", "template": "You are {role}"}
    assert ingest.post("/prompts", body).status_code == 201
    assert ingest.post("/prompts", body).status_code == 200
    assert ingest.post("/prompts", {**body, "template": "Other"}).status_code == 409


BAD_BODIES = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"null", "application/json", 400),
    (b"[1]", "application/json", 400),
    (b'{"name": NaN}', "application/json", 400),
    (b'{"name": "x", "description": 1e999}', "application/json", 400),
    (b'{"name": "x"}', "text/plain", 415),
    (b'{"name": "x"}', "application/json; charset=utf-16", 415),
    (b'{"name": "\xff"}', "application/json", 400),
    (b'{"name":' + b"[" * 65 + b"]" * 65 + b"}", "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"name": "\\ud800", "slug": "a"}', "application/json", 201),
    (b'{"name": "' + b"x" * (17 << 20) + b'"}', "application/json", 413),
]


@pytest.mark.parametrize(("body", "content_type", "status"), BAD_BODIES)
def test_a_body_is_bounded_and_its_faults_are_named(reviewer, body, content_type, status):
    answer = reviewer.post("/eval-sets", body, **{"content-type": content_type})
    assert answer.status_code == status
    if status != 201:
        assert set(answer.json()["error"]) >= {"code", "message"}


def test_metrics_answer_over_all_that_is_kept(project, viewer):
    factory.trace(project, model="gpt-4o")
    answer = viewer.get("/metrics?metric=requests&group=model&from=24h&step=1h")
    assert answer.status_code == 200
    assert answer.json()["metric"] == "requests"
    assert viewer.get("/metrics?metric=requests").status_code == 200
    for query, field in (("", "metric"), ("metric=odd", "metric"), ("metric=cost&step=x", "step")):
        wrong = viewer.get(f"/metrics?{query}")
        assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, field)


def test_unknown_paths_answer_in_json(viewer):
    answer = viewer.get("/nowhere/at/all")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert json.loads(viewer.get("/traces/..%2f..%2fx").content)["error"]["code"] == "not_found"
