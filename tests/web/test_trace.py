"""The trace page over HTTP: the page, its fragments, who may see it, and what it costs."""

from __future__ import annotations

import html

import pytest

from tests import trace_factory as factory
from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.metrics import rollup
from tracehub.traces import saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def viewer(project, client):
    user = stories.member(project, "viewer")
    client.force_login(user)
    return user


@pytest.fixture
def trace(project) -> str:
    return stories.refund_trace(project)


def fragment(client, url: str, target: str):
    return client.get(url, headers={"hx-request": "true", "hx-target": target})


def test_the_page_opens_the_failing_span_with_its_error_in_place(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}").text
    assert "<h1" in page
    assert 'data-pane="0000000100000009"' in page
    assert "<mark>&quot;418.60 EUR&quot;</mark>" in page
    assert '<span class="mono medium">/refund/amount</span> must be number.' in page
    assert 'id="error"' in page
    assert "Refunds when we cancel a flight, §4.2" in page
    assert html.escape(stories.ASKED) in page


def test_the_tree_shows_levels_totals_bars_and_retries(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}").text
    assert page.count('role="row" aria-level=') == 11
    assert page.count('aria-level="3"') == 6
    assert '<rect x="0.00%" width="100.00%"' in page
    assert "try 2" in page
    assert "style=" not in page.split("<main", 1)[1]


def test_the_facts_and_links_of_the_trace_are_there(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}").text
    for fact in ("refund@v12", "gpt-4o", "8.4 s", "$0.0091", "canary", "production", "u_48f1"):
        assert fact in page
    assert "/skylane/traces?q=prompt%3Arefund%40v12" in page


def test_choosing_a_span_swaps_the_middle_pane_only(client, viewer, trace):
    url = f"/skylane/traces/{trace}?span=0000000100000006"
    swapped = fragment(client, url, "section#pane").text
    assert "get_booking" in swapped
    assert '"X7K2QD"' in html.unescape(swapped)
    assert "<h1" not in swapped
    assert "Content-Security-Policy" in fragment(client, url, "section#pane").headers


def test_raw_and_attributes_are_tabs_of_the_url(client, viewer, trace):
    url = f"/skylane/traces/{trace}?span=0000000100000009"
    attributes = client.get(f"{url}&tab=attributes").text
    assert "skylane.tenant" in attributes
    assert "/skylane/traces?q=attr.skylane.tenant%3A" in attributes
    raw = client.get(f"{url}&tab=raw").text
    assert "As it was received" in raw
    assert "gen_ai.request.model" in raw


def test_an_unknown_span_is_said_and_the_tree_stays(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}?span=ffffffffffffffff")
    assert page.status_code == 200
    assert "No such span in this trace" in page.text


def test_a_span_and_a_trace_come_as_json_that_no_browser_renders(client, viewer, trace):
    answer = client.get(f"/skylane/traces/{trace}/json?span=0000000100000009")
    assert answer.json()["validation_errors"][0]["pointer"] == "/refund/amount"
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "nonce" not in answer["Content-Security-Policy"]
    assert len(client.get(f"/skylane/traces/{trace}/json").json()["spans"]) == 11
    raw = client.get(f"/skylane/traces/{trace}/json?span=0000000100000009&raw=1").json()
    assert raw["attributes"]["skylane.tenant"] == 12
    assert client.get(f"/skylane/traces/{trace}/json?span=x").status_code == 404


@pytest.mark.parametrize("path", ["", "/json"])
def test_an_outsider_and_a_wrong_id_get_the_same_404(client, project, trace, path):
    other = stories.project("other")
    client.force_login(stories.member(other, "admin"))
    assert client.get(f"/skylane/traces/{trace}{path}").status_code == 404
    for wrong in (trace, "f" * 32, "x", trace.upper(), "..%2fx"):
        assert client.get(f"/other/traces/{wrong}{path}").status_code == 404


def test_previous_and_next_keep_the_list(client, viewer, project, trace):
    newer = stories.refund_trace(project, 2, minutes_ago=1)
    older = stories.refund_trace(project, 3, minutes_ago=9)
    url = f"/skylane/traces/{trace}?from=7d&sort=-started_at&cursor=x"
    page = html.unescape(client.get(url).text)
    assert f'href="/skylane/traces/{newer}?from=7d" aria-label="Previous' in page
    assert f'href="/skylane/traces/{older}?from=7d" aria-label="Next' in page
    last = client.get(f"/skylane/traces/{older}").text
    assert "This is the last trace of the list" in last


def test_a_trace_that_the_worker_has_not_seen_is_shown_all_the_same(client, viewer, project):
    fresh = factory.trace(project, digested=False)
    page = client.get(f"/skylane/traces/{fresh}")
    assert page.status_code == 200
    assert "compose-refund" in page.text


def test_a_large_trace_sends_the_first_rows_and_the_rest_when_asked(client, viewer, project):
    trace_id = "e" * 32
    at = 1_795_000_000_000_000_000
    root = factory.span(trace_id, span_id="a" * 16, kind="agent", start_ns=at, name="root")
    steps = [
        factory.span(
            trace_id, span_id=f"{n:016x}", parent_id="a" * 16, kind="tool", name=f"step-{n}",
            start_ns=at + n * 1_000_000, input=None, output=None,
        )
        for n in range(1, 2000)
    ]  # fmt: skip
    factory.trace(project, root, *steps, trace_id=trace_id)
    page = client.get(f"/skylane/traces/{trace_id}").text
    assert page.count("data-span=") == 120
    assert "Show 200 of 1880 more" in page
    url = f"/skylane/traces/{trace_id}?under={'a' * 16}&first=119&past=1999"
    rows = fragment(client, url, "div").text
    assert rows.count("data-span=") == 200
    assert "Show 200 of 1680 more" in rows
    assert "<h1" not in rows
    assert "step-1999" in fragment(client, f"{url}&end=1", "div").text


def test_a_long_text_is_folded_and_comes_whole_when_asked(client, viewer, project):
    words = "word " * 4000
    trace_id = factory.trace(project, input=factory.chat(("user", words)))
    page = client.get(f"/skylane/traces/{trace_id}").text
    assert "18,500 more characters" in page
    whole = fragment(client, f"/skylane/traces/{trace_id}?all=i0", "section#pane").text
    assert whole.count("word") >= 4000


def test_what_a_trace_contains_is_shown_as_text(client, viewer, project):
    trace_id = stories.attack_trace(project)
    for url in ("", f"?span={'c' * 16}", "?tab=raw", "?tab=attributes", f"?under={'b' * 16}"):
        page = client.get(f"/skylane/traces/{trace_id}{url}").text
        for attack in ("<script>window", "<img src=x", "<div hx-get='/att", "<svg onload"):
            assert attack not in page, url
        assert html.escape("<script>window.attacked = 1</script>") in page


def test_the_page_costs_few_queries(client, viewer, trace, django_assert_max_num_queries):
    client.get(f"/skylane/traces/{trace}")
    with django_assert_max_num_queries(43):
        client.get(f"/skylane/traces/{trace}")


def test_a_viewer_reads_reviews_and_gets_no_form(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}").text
    assert "Your role is viewer" in page
    assert 'name="verdict"' not in page


def test_the_neighbours_follow_the_filter_and_the_order(client, viewer, project):
    slow, quick, mid = (
        factory.trace(project, name="slowest" if n == 9 else "quick", duration_ns=n * 10**9)
        for n in (9, 1, 5)
    )
    page = client.get(f"/skylane/traces/{mid}?sort=-latency").text
    assert f"/skylane/traces/{slow}?sort=-latency" in page
    assert f"/skylane/traces/{quick}?sort=-latency" in page
    page = html.unescape(client.get(f"/skylane/traces/{mid}?q=name:quick&sort=latency").text)
    assert f"/skylane/traces/{quick}?q=name%3Aquick&sort=latency" in page
    assert slow not in page
    assert "This is the last trace of the list" in page


def test_a_broken_filter_leaves_the_trace_readable(client, viewer, trace):
    page = client.get(f"/skylane/traces/{trace}?q=nonsense:1&sort=colour&from=yesterday")
    assert page.status_code == 200


def test_a_trace_is_held_against_its_prompt_and_its_session(client, project):
    client.force_login(stories.member(project, "viewer"))
    first = stories.refund_trace(project, 1, minutes_ago=5)
    second = stories.refund_trace(project, 2, minutes_ago=2)
    for _ in range(2):
        trace_row(project, cohort="control")
    rollup.fold_all()
    page = client.get(f"/skylane/traces/{second}").text
    assert "turn 2 of 2" in page
    assert f"/skylane/traces/{first}" in page
    assert "p95 8." in page
    assert "in the last 7 days took less" in page
    assert ">50%<" in page  # of the traces with a cohort are canary


def test_a_trace_says_where_it_stands_in_the_list_it_was_opened_from(client, viewer, project):
    traces = [stories.refund_trace(project, n, minutes_ago=n) for n in range(1, 4)]
    page = client.get(f"/skylane/traces/{traces[1]}?q=prompt:refund").text
    assert f"/skylane/traces/{traces[1]}/place?q=prompt%3Arefund" in page

    def place(number: int, query: str) -> str:
        return client.get(f"/skylane/traces/{traces[number]}/place?{query}").text.strip()

    assert "2 of 3" in place(1, "q=prompt:refund")
    assert "3 of 3" in place(0, "sort=started_at")
    assert place(1, "q=prompt:other") == ""
    view = saved.save(project, viewer, "Slow refunds", {"q": "prompt:refund"}, shared=False)
    assert ">Slow refunds</a>" in place(1, f"q=prompt:refund&view={view.pk}")
    assert ">Slow refunds</a>" not in place(1, "view=999999")
    assert place(1, "q=nonsense:1") == ""
    assert place(1, "to=2020-01-01") == ""
