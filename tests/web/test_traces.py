"""The Traces page over HTTP."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests import trace_factory
from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.projects.models import Project, User
from tracehub.traces.models import Arrival, Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return stories.project()


@pytest.fixture
def reviewer(client, project: Project) -> User:
    user = stories.member(project, "reviewer")
    client.force_login(user)
    return user


def fragment(client, url: str, target: str, **headers):
    return client.get(url, headers={"hx-request": "true", "hx-target": target, **headers})


def shown(page) -> list[str]:
    return re.findall(r'<tr id="t-([0-9a-f]{32})"', page.text)


def test_the_page_shows_the_newest_first_with_everything_a_row_has(client, project, reviewer):
    old = trace_row(project, ago=timedelta(hours=2))
    new = trace_row(
        project,
        cohort="canary",
        duration_ns=8_412_500_000,
        total_tokens=6600,
        signals=[signal("retried", "low"), signal("schema_error")],
        input_preview="SK 482 to <Lisbon>",
        output_preview='{"refund": null}',
    )
    page = client.get("/skylane/traces")
    assert shown(page) == [new.hex, old.hex]
    text = page.text
    for part in ("canary", "8.4 s", "6.6k", "$0.0180", "Schema error", "Retried", "Not reviewed"):
        assert part in text
    row = text[text.index(f'id="t-{new.hex}"') :]
    assert row.index("Schema error</span>") < row.index("Retried</span>")
    assert "SK 482 to &lt;Lisbon&gt;" in text
    assert 'refund<span class="quiet">@v12</span>' in text


def test_a_page_takes_few_queries_however_many_rows(
    client, project, reviewer, django_assert_max_num_queries
):
    for _ in range(60):
        trace_row(project, signals=[signal("timeout")])
    client.get("/skylane/traces")  # remembers the project, once
    with django_assert_max_num_queries(34):
        assert len(shown(client.get("/skylane/traces"))) == 30


def test_a_changed_filter_swaps_the_content_and_names_its_address(client, project, reviewer):
    wanted = trace_row(project, model_names=["gpt-4o"], failing=True)
    trace_row(project, model_names=["mistral"])
    page = fragment(client, "/skylane/traces?q=model:gpt*&add=is:failing", "main#main")
    assert shown(page) == [wanted.hex]
    assert "<html" not in page.text
    assert page["HX-Push-Url"] == "/skylane/traces?q=model%3Agpt%2A+is%3Afailing"


def test_adding_works_without_script(client, project, reviewer):
    answer = client.get("/skylane/traces?q=a+OR+b&add=is:failing&from=7d")
    assert answer.status_code == 302
    assert answer["Location"] == "/skylane/traces?q=%28a+OR+b%29+is%3Afailing&from=7d"


def test_a_bad_filter_stays_in_place_with_its_mend(client, project, reviewer):
    trace_row(project)
    page = client.get("/skylane/traces?q=model:gpt-4o+latency:>5sec")
    assert page.status_code == 400
    assert "latency needs a duration such as 5s or 800ms." in page.text
    assert re.search(r'data-tone="fail"[^>]*data-text="latency:&gt;5sec"', page.text)
    assert 'href="/skylane/traces?q=model%3Agpt-4o%20latency%3A%3E5s"' in page.text
    assert shown(page) == []
    assert fragment(client, "/skylane/traces?q=latency:x", "main#main").status_code == 200


@pytest.mark.parametrize("query", ["from=yesterday", "sort=name", "cursor=zzz", "from=7d&to=8d"])
def test_a_bad_range_order_or_cursor_is_said_and_the_rest_works(client, project, reviewer, query):
    trace_row(project)
    page = client.get(f"/skylane/traces?{query}")
    assert page.status_code in (200, 400)
    assert 'role="alert"' in page.text
    assert "Traceback" not in page.text


def test_more_rows_follow_without_repeating(client, project, reviewer):
    for number in range(35):
        trace_row(project, ago=timedelta(minutes=number + 1))
    first = client.get("/skylane/traces?from=7d")
    following = re.search(r'id="load-more" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    more = fragment(client, following, "footer#foot")
    assert len(shown(more)) == 5
    assert set(shown(more)).isdisjoint(shown(first))
    assert "load-more" not in more.text


def test_facets_lead_to_the_list_with_their_value(client, project, reviewer):
    trace_row(project, model_names=["gpt-4o"], verdict="fail")
    trace_row(project, model_names=["mistral"])
    page = client.get("/skylane/traces?q=model:gpt-4o").text
    facet = page[page.index('id="facet-model"') :]
    facet = facet[: facet.index("</details>")]
    assert 'href="/skylane/traces?q=model%3Agpt-4o%2Cmistral"' in facet
    assert 'href="/skylane/traces" aria-current="true"' in facet
    assert "Not reviewed" in page


def test_a_wildcard_marks_what_it_covers_and_a_click_excludes_it(client, project, reviewer):
    trace_row(project, model_names=["gpt-4o"])
    page = client.get("/skylane/traces?q=model:gpt*").text
    assert 'href="/skylane/traces?q=model%3Agpt%2A+-model%3Agpt-4o" aria-current="true"' in page


def test_an_empty_list_says_which_filter_hides_traces(client, project, reviewer):
    trace_row(project, cost=None)
    page = client.get("/skylane/traces?q=model:gpt-4o+cost:>2").text
    assert "No traces match these filters" in page
    assert re.search(r'1 match without <span class="mono">cost:&gt;2</span>', page)
    assert "of them cost" not in page
    trace_row(project)
    page = client.get("/skylane/traces?q=model:gpt-4o+cost:>2").text
    assert "The most expensive one of them cost $0.0180." in page
    page = client.get("/skylane/traces?q=latency:<1s").text
    assert "The fastest one of them took 2.0 s." in page


def test_an_empty_range_says_when_the_last_trace_came(client, project, reviewer):
    trace_row(project, ago=timedelta(hours=20))
    assert "No traces in this range" in client.get("/skylane/traces?from=1h").text


def test_an_empty_project_leads_to_connecting(client, project, reviewer):
    assert "No traces yet" in client.get("/skylane/traces").text


def test_traces_of_another_project_never_show(client, project, reviewer):
    other = Project.objects.create(slug="other", name="Other")
    trace = trace_row(other, model_names=["secret-model"])
    page = client.get("/skylane/traces?from=30d").text
    assert "secret-model" not in page
    assert trace.hex not in page
    offers = client.get("/skylane/traces/suggestions?add=model:")
    assert "secret-model" not in offers.text


def test_suggestions_offer_keys_then_values_with_counts(client, project, reviewer):
    trace_row(project, signals=[signal("schema_error")])
    page = client.get("/skylane/traces/suggestions?add=sig").text
    assert 'data-text="signal:schema_error"' in page
    assert 'data-text="signal:"' in page
    values = client.get("/skylane/traces/suggestions?add=-model:x,gp").text
    assert 'data-text="-model:x,gpt-4o"' in values


def test_suggestions_name_metadata_and_attributes_of_the_newest_traces(client, project, reviewer):
    attributes = [{"http.route": "/refund now", "a b": 1}, {"http.route": "/other"}]
    trace_row(project, metadata={"by": {"team": "red"}}, attributes=attributes)
    trace_row(project, metadata={"by": {"team": "red"}}, attributes=attributes[1:])

    def offers(typed: str) -> list[str]:
        page = client.get("/skylane/traces/suggestions", {"add": typed}).text
        return re.findall(r'data-text="([^"]*)"', html.unescape(page.replace("&quot;", "'")))

    assert offers("att") == ["attr."]
    assert offers("attr.") == ["attr.http.route:"]
    assert offers("-attr.http.route:x,") == [
        "-attr.http.route:x,/other", "-attr.http.route:x,'/refund now'",
    ]  # fmt: skip
    assert offers("attr.http.route:FUND") == ["attr.http.route:'/refund now'"]
    assert offers("meta.TE") == ["meta.by.team:"]
    assert offers("meta.by.team:") == ["meta.by.team:red"]
    project.hides_content = True
    project.save()
    assert offers("attr.http.route:") == offers("meta.by.team:") == []


def test_a_large_range_lists_first_and_counts_afterwards(client, project, reviewer, monkeypatch):
    monkeypatch.setattr("tracehub.web.traces.COUNTED_AT_ONCE", -1)
    trace = trace_row(project, failing=True)
    page = client.get("/skylane/traces?q=is:failing")
    assert shown(page) == [trace.hex]
    assert 'id="facet-model"' not in page.text
    later = re.search(r'hx-get="([^"]+)" hx-trigger="load"', page.text)[1].replace("&amp;", "&")
    counts = fragment(client, later, "div#histogram")
    assert 'id="facet-model"' in counts.text
    assert "1 failing of 1 traces" in counts.text
    assert shown(counts) == []
    without_script = client.get(later)
    assert 'id="facet-model"' in without_script.text
    assert shown(without_script) == [trace.hex]


def test_live_counts_what_came_after_the_newest_row(client, project, reviewer):
    trace_row(project, ago=timedelta(minutes=5))
    page = client.get("/skylane/traces?q=model:gpt*").text
    ask = re.search(r'hx-get="(/skylane/traces/newer[^"]+)"', page)[1].replace("&amp;", "&")
    assert "new" not in client.get(ask).text
    trace_row(project, ago=timedelta(minutes=1))
    trace_row(project, ago=timedelta(minutes=1), model_names=["mistral"])
    assert "Show 1 new" in client.get(ask).text
    assert 'id="live"' not in client.get("/skylane/traces?sort=-cost").text
    assert client.get("/skylane/traces/newer?after=x").status_code == 200


def test_a_search_that_takes_too_long_says_so(client, project, reviewer, monkeypatch):
    trace_row(project)
    slow = "(SELECT pg_sleep(2)) IS NOT NULL"
    monkeypatch.setattr("tracehub.web.traces.SECONDS", 0.05)
    monkeypatch.setattr("tracehub.traces.querysets.where", lambda wanted: (slow, []))
    page = client.get("/skylane/traces")
    assert page.status_code == 200
    assert "The search stopped after" in page.text
    assert Trace.objects.count() == 1


def test_no_template_of_the_page_has_style_or_handlers(client, project, reviewer):
    trace_row(project, signals=[signal("timeout")])
    page = client.get("/skylane/traces").text
    assert not re.search(r"\s(style|on[a-z]+)=", page)
    for tag in re.findall(r"<[^>]*\shx-(?:get|post|boost)=[^>]*>", page):
        assert "hx-nonce=" in tag


def test_a_row_shows_where_the_words_stand_that_were_looked_for(client, project, reviewer):
    trace_row(
        project, input_preview=f"{'so ' * 40}my <b>suitcase</b> is lost", output_preview="Sorry."
    )
    trace_row(project, input_preview="a suit of armour")
    page = client.get("/skylane/traces?q=suitcase")
    assert len(shown(page)) == 1
    assert "my &lt;b&gt;<mark>suitcase</mark>&lt;/b&gt; is lost" in page.text


@pytest.mark.parametrize("q", ["", "is:failing", "env:production"])
def test_terms_that_set_failing_traces_apart_are_offered(client, project, reviewer, q):
    for n in range(40):
        cohort = "canary" if n < 8 else "control"
        trace_row(project, cohort=cohort, failing=n < 7 or n == 20, model_names=["gpt-4o"])
    page = client.get("/skylane/traces", {"q": q})
    strip = page.text.split("Narrow by")[1].split("</div>")[0]
    assert "canary" in strip
    assert "cohort%3Acanary" in strip
    assert "88% of them fail" in strip
    assert "control" not in strip
    assert "gpt-4o" not in strip
    assert "Narrow by" not in client.get("/skylane/traces?q=cohort:canary").text


def heads(page: str) -> list[str]:
    row = page.partition("<thead>")[2].partition("</thead>")[0]
    cells = re.findall(r"<th[^>]*>(.*?)</th>", row, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell) for cell in cells][1:]


def test_columns_density_and_times_are_kept_for_the_person(client, project, reviewer):
    row = trace_row(
        project, started_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC), user_id="u_48f1",
        tags=["vip"], error_count=2,
    )  # fmt: skip
    address = "/skylane/traces?from=2026-07-01&to=2026-07-03"
    standard = heads(client.get(address).text)
    assert standard == [
        "Time", "Name, cohort", "Input → output", "Prompt, model", "Latency", "Tokens, cost",
        "Signals", "Verdict, labels",
    ]  # fmt: skip
    chosen = ["time", "user", "tags", "spans", "made-up"]
    sent = {"column": chosen, "up": "tags", "exact": "on", "dense": "on", "next": address}
    assert client.post("/skylane/traces/columns", sent)["Location"] == address
    client.cookies["zone"] = "Europe/Berlin"
    page = client.get(address).text
    assert heads(page) == ["Name, cohort", "Time", "Tags", "User, session", "Spans, errors"]
    assert "table--dense" in page
    assert '>00:30:00</time><span class="line-2">2 Jul<' in page
    assert "u_48f1" in page
    assert "2 failed" in page
    assert 'name="from" value="2026-07-01T00:00"' in page  # the form of the range says UTC
    client.post("/skylane/traces/columns", sent | {"utc": "on"})
    assert '>22:30:00</time><span class="line-2">1 Jul<' in client.get(address).text
    client.post("/skylane/traces/columns", {"reset": "1"})
    client.cookies["zone"] = "../etc/passwd"
    page = client.get(address).text
    assert heads(page) == standard
    assert shown(client.get(address)) == [row.hex]


def test_every_list_says_how_far_behind_the_worker_is(client, project, reviewer):
    trace_factory.trace(project, digested=False)
    assert "behind" not in client.get("/skylane/traces").text
    Arrival.objects.update(dirty_at=datetime.now(UTC) - timedelta(minutes=3))
    for page in ("traces", "failures", "metrics", "sessions", "users", "review"):
        said = client.get(f"/skylane/{page}").text
        assert "1 trace waiting, the worker is 3 min behind" in said, page
