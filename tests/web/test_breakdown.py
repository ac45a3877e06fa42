"""What the cost is made of, over HTTP."""

from __future__ import annotations

import re

import pytest

from tests.web import stories
from tests.web.test_metrics import EVIL, fill

URL = "/skylane/metrics/breakdown?from=14d"


@pytest.fixture
def project(db, client):
    made = stories.project()
    client.force_login(stories.member(made, "viewer"))
    return made


def test_models_stand_by_their_own_cost_and_lead_to_their_traces(client, project):
    fill(project)
    page = client.get(URL).text
    names = re.findall(r'<th scope="row"><a class="link" href="([^"]+)">([^<]+)</a>', page)
    assert [name for _, name in names] == ["gpt-4o", "o4-mini"]
    assert names[0][0] == "/skylane/traces?from=14d&amp;q=model%3Agpt-4o"
    shares = [float(n) for n in re.findall(r'<td class="r">([\d.]+)%</td>', page)]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert shares == sorted(shares, reverse=True)
    assert "style=" not in page


def test_it_stands_by_prompt_version_and_under_a_filter(client, project):
    fill(project)
    page = client.get(f"{URL}&by=prompt&q=cohort:canary").text
    assert re.findall(r">(refund@v\d+)</a>", page) == ["refund@v12"]
    assert 'aria-current="true"' in page


def test_an_empty_range_and_a_bad_filter_are_explained(client, project):
    assert "No model was used in this range" in client.get(URL).text
    bad = client.get(f"{URL}&q=nokey:1")
    assert bad.status_code == 400
    assert "nokey" in bad.text


def test_names_are_escaped_and_htmx_gets_the_panel_alone(client, project):
    fill(project, evil=True)
    page = client.get(URL, headers={"hx-target": "section#breakdown"}).text
    assert page.lstrip().startswith('<section class="panel" id="breakdown"')
    assert EVIL not in page
    assert "&lt;a href=" in page
