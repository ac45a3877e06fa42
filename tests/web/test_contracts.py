"""The contracts pages: a draft from past outputs, a dry run path by path, and publishing."""

from __future__ import annotations

import json

import pytest

from tests import trace_factory as factory
from tests.failures.test_worker import RIGHT, SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.digest import recheck
from tracehub.failures import actions
from tracehub.failures.models import Contract, Recheck
from tracehub.traces.models import Arrival, Trace


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def client(client, project):
    client.force_login(stories.member(project, "admin"))
    return client


def post(client, act, schema, **more):
    text = schema if isinstance(schema, str) else json.dumps(schema)
    given = {"act": act, "schema": text, "labels": "{}", "prompt": "refund", **more}
    return client.post("/skylane/contracts/refund-reply", given)


def test_a_new_contract_begins_as_a_draft_from_passing_outputs(client, project):
    reply(project, RIGHT, number=1)
    page = client.get("/skylane/contracts?name=refund-reply&prompt=refund", follow=True)
    assert "&quot;required&quot;: [&quot;refund&quot;]" in page.text
    assert "&quot;amount&quot;" in page.text
    assert Contract.objects.count() == 0


def test_a_dry_run_tells_what_would_newly_fail_and_pass_by_path(client, project):
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, WRONG, number=1)
    reply(project, RIGHT, number=2)
    reply(project, RIGHT, number=3)
    changed = json.loads(json.dumps(SCHEMA))
    changed["properties"]["refund"]["properties"]["amount"] = {"type": "string"}
    page = post(client, "try", changed)
    assert "refund-reply/2 would newly fail 2" in page.text
    assert "of the last 3 outputs" in page.text and "1 newly pass" in page.text
    assert "/refund/amount" in page.text and "must be string" in page.text
    assert Contract.objects.count() == 1
    assert "would newly fail 0" in post(client, "try", SCHEMA).text


def test_publishing_puts_it_in_force_and_checks_the_past_again(client, project):
    trace_id = reply(project, WRONG, number=1)
    page = post(client, "publish", SCHEMA, recheck="1")
    assert page.status_code == 302
    text = client.get(page.url).text
    assert "refund-reply/1 is in force. 1 traces of 14 days are checked again" in text
    assert "Contract refund-reply/1: 0 of 1 traces checked again" in text
    Arrival.objects.update(dirty_seq=None, dirty_at=None)
    marked = 0
    while recheck.step():
        marked += Arrival.objects.filter(dirty_seq__isnull=False).count()
        Arrival.objects.update(dirty_seq=None, dirty_at=None)
    job = Recheck.objects.get()
    assert (job.q, job.traces, marked) == ("prompt:refund", 1, 1)
    assert job.finished_at is not None
    factory.digest_now(project, trace_id)
    assert Trace.objects.get().signal_kinds == ["schema_error"]
    assert Contract.objects.get().created_by == "admin@skylane.example"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "no JSON at line 1, column 2"),
        ({"pattern": "(?=a)"}, "linear time"),
        ({"$ref": "http://10.0.0.1/"}, "Nothing is loaded from elsewhere"),
        ("[]", "must be an object"),
    ],
)
def test_what_cannot_be_used_is_kept_and_explained(client, project, schema, said):
    for act in ("try", "publish"):
        page = post(client, act, schema)
        assert page.status_code == 422
        assert said in page.text.replace("&#x27;", "'")
    assert Contract.objects.count() == 0


def test_only_admins_publish_and_outsiders_see_nothing(client, project):
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    client.force_login(stories.member(project, "viewer"))
    page = client.get("/skylane/contracts/refund-reply")
    assert "readonly" in page.text and 'value="publish"' not in page.text
    assert post(client, "publish", SCHEMA).status_code == 403
    client.force_login(stories.member(stories.project("other"), "admin", "o@other.example"))
    assert client.get("/skylane/contracts").status_code == 404


def test_the_list_shows_what_is_in_force(client, project):
    assert "No contract yet" in client.get("/skylane/contracts").text
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    actions.save_contract(project, "refund-reply", True, prompt="refund")
    text = client.get("/skylane/contracts").text
    assert "version 2" in text and "style=" not in text
    assert client.get("/skylane/contracts/a b").status_code == 404
    assert client.get("/skylane/contracts/refund-reply?version=1").status_code == 200


def test_a_draft_shows_its_changed_lines_and_each_path_its_outputs(client, project):
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, RIGHT, number=1)
    changed = json.loads(json.dumps(SCHEMA))
    amount = changed["properties"]["refund"]["properties"]["amount"]
    amount["minimum"] = 1_000_000
    changed["required"] = [*changed.get("required", []), "reason"]
    page = post(client, "try", changed).text
    assert "against" in page and "lines changed" in page and "Publish 2" in page
    assert "data-original=" in page and "1000000" in page
    assert 'href="#path-1"' in page and 'id="path-2"' in page
    assert "must be at least 1000000" in page and "/reason is required" in page
    assert "would newly fail 1" in page and ">418.6<" in page
    same = client.get("/skylane/contracts/refund-reply").text
    assert "in force</span>" in same and "0 lines changed" in same


def test_a_mend_goes_into_the_draft_and_says_what_it_leaves(client, project):
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    for n in (1, 2, 3):
        reply(project, RIGHT, number=n)
    reply(project, RIGHT.replace("418.60", "7"), number=4)
    changed = json.loads(json.dumps(SCHEMA))
    changed["properties"]["refund"]["properties"]["amount"]["maximum"] = 100
    page = post(client, "try", changed).text
    assert "Use maximum 418.6" in page and "With it, 0 newly fail in all" in page
    assert 'value="use:/refund/amount maximum"' in page
    mended = post(client, "use:/refund/amount maximum", changed).text
    assert "would newly fail 0" in mended and "&quot;maximum&quot;: 418.6" in mended
    assert Contract.objects.count() == 1


def test_null_rules_and_escalations_are_tried_published_and_in_force(client, project):
    actions.save_contract(project, "refund-reply", True, prompt="refund")
    trace_id = reply(project, '{"refund": {"amount": null}, "route": "human"}', number=1)
    given = {
        "nulls": '{"/refund/amount": {"/reason": ["not_refundable"]}}',
        "escalations": '{"/route": ["human"]}',
        "tab": "nulls",
    }
    page = post(client, "try", True, **given).text
    assert "would newly fail 1" in page and "Drop the null rule" in page
    assert 'value="nulls" id="tab-nulls" checked' in page
    assert "1 hands over to a person, 0 by the version in force" in page
    assert post(client, "publish", True, **given).status_code == 302
    factory.digest_now(project, trace_id)
    row = Trace.objects.get()
    assert (row.signal_kinds, row.outcome) == (["required_null"], "escalated")
    wrong = post(client, "publish", True, nulls='{"/a": "sometimes"}')
    assert wrong.status_code == 422 and 'id="tab-nulls" checked' in wrong.text


def test_an_old_version_is_compared_with_the_one_in_force(client, project):
    actions.save_contract(project, "refund-reply", True, prompt="refund")
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    page = client.get("/skylane/contracts/refund-reply?version=1").text
    assert "against" in page and "lines changed" in page and "Discard draft" in page


def test_a_draft_is_made_from_outputs_again(client, project):
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, RIGHT, number=1)
    page = client.get("/skylane/contracts/refund-reply?infer=1").text
    assert "A draft from the newest passing outputs" in page
