"""Settings, Prices over HTTP: who may set them, what is refused, which models have none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.trace import Tokens
from tracehub.digest.models import Repricing
from tracehub.projects.models import AuditEntry, ModelPrice
from tracehub.projects.prices import overrides

URL = "/skylane/settings/prices"
GIVEN = {"model": "house-model", "valid_from": "2026-11-01", "input": "2.5", "output": "10"}


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def admin(client, project):
    user = stories.member(project, "admin")
    client.force_login(user)
    return user


def test_an_admin_sets_and_removes_a_price(client, project, admin):
    assert client.post(f"{URL}/new", GIVEN).status_code == 302
    price = ModelPrice.objects.get()
    page = client.get(URL).text
    assert "house-model" in page
    assert "Pricing stored calls anew" in page
    assert client.post(f"{URL}/new", GIVEN | {"input": "3"}).status_code == 302
    price.refresh_from_db()
    assert price.input == 3
    more = {"reasoning": "4", "audio_input": "40", "audio_output": "80"}
    client.post(f"{URL}/new", GIVEN | {"input": "3"} | more)
    (override,) = overrides(project.pk)
    assert (override.reasoning, override.audio_input, override.audio_output) == (4, 40, 80)
    assert override.cached is None
    assert '<td class="r">80</td>' in client.get(URL).text
    assert client.post(f"{URL}/{price.pk}/remove").status_code == 302
    assert not ModelPrice.objects.exists()
    assert Repricing.objects.filter(finished_at=None).count() == 1
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == [*["price.set"] * 3, "price.removed"]


@pytest.mark.parametrize(
    "wrong", [{"model": ""}, {"input": "-1"}, {"output": "much"}, {"valid_from": "soon"}]
)
def test_what_cannot_be_is_refused_and_kept_as_typed(client, project, admin, wrong):
    answer = client.post(f"{URL}/new", GIVEN | wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.text
    assert not ModelPrice.objects.exists()
    assert not Repricing.objects.exists()


def test_models_without_a_price_are_listed_with_a_way_to_give_one(client, project, admin):
    tokens = Tokens(input=100, output=10, total=110)
    factory.trace(project, model="house-<b>", tokens=tokens, cost=None)
    factory.trace(project, model="gpt-4o", tokens=tokens, cost=Decimal("0.01"))
    page = client.get(URL).text
    unknown = page[page.index('id="unknown"') :]
    assert "house-&lt;b&gt;" in unknown
    assert "gpt-4o" not in unknown
    assert "1 call, 110 tokens" in unknown
    assert 'value="house-model"' in client.get(f"{URL}?model=house-model").text
    assert "style=" not in page


def test_others_read_and_may_not_set(client, project):
    client.force_login(stories.member(project, "reviewer"))
    page = client.get(URL)
    assert page.status_code == 200
    assert "Set price" not in page.text
    assert client.post(f"{URL}/new", GIVEN).status_code == 403
