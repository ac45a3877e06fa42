"""Set-up by a document: what it changes, that it changes nothing twice, and who may."""

from __future__ import annotations

import pytest

from tracehub.notify.models import Alert
from tracehub.projects.actions import find_key
from tracehub.projects.models import ApiKey, AuditEntry, Membership

SETUP = {
    "name": "Skylane care",
    "hides_content": True,
    "members": [
        {"email": "Anna@skylane.example", "role": "admin"},
        {"email": "tor@skylane.example", "role": "reviewer"},
    ],
    "keys": [{"name": "agent", "scope": "ingest"}],
    "failure_modes": [{"name": "Wrong amount", "definition": "Not what the fare rules say."}],
    "contracts": [
        {"name": "refund-reply", "applies_to": {"prompt": "refund"}, "schema": {"type": "object"}}
    ],
    "queues": [
        {"name": "Refunds", "q": "prompt:refund", "size": 40, "overlap": 0.2, "blind": True,
         "reviewers": ["tor@skylane.example"]},
    ],
    "destinations": [
        {"name": "ops", "kind": "email", "address": "ops@skylane.example",
         "events": ["gate.decided"]}
    ],
    "alerts": [
        {"name": "New failures", "kind": "new", "severity": "high", "to": ["ops"]},
        {"name": "Canary", "kind": "rate", "key": "cohort", "value": "canary", "hours": 2,
         "percent": 5, "least": 50, "to": ["ops"], "quiet": 4},
    ],
}  # fmt: skip


def told(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [f"{one['verb']} {one['kind']} {one['name']}" for one in answer.json()["changes"]]


ALL = [
    "change project skylane",
    "change project skylane",
    "add member anna@skylane.example",
    "add member tor@skylane.example",
    "add key agent",
    "add failure mode wrong-amount",
    "add contract refund-reply/1",
    "add queue refunds",
    "add destination ops",
    "add alert New failures",
    "add alert Canary",
]


def test_a_set_up_is_told_then_made_and_the_second_time_nothing_is_left(admin, project):
    dry = admin.post("/setup?dry_run=true", SETUP)
    assert (told(dry), dry.json()["made"]) == (ALL, False)
    assert not Membership.objects.filter(project=project).exists()
    answer = admin.post("/setup", SETUP)
    assert (told(answer), answer.json()["made"]) == (ALL, True)
    (text,) = [one["key"] for one in answer.json()["changes"] if "key" in one]
    assert find_key(text).scope == "ingest"
    before = written()
    assert told(admin.post("/setup", SETUP)) == []
    read = admin.get("/setup").json()
    again = {
        part: [{k: v for k, v in one.items() if k not in EXTRA} for one in read[part]]
        for part in ("members", "keys", "failure_modes", "contracts", "queues", "alerts")
    }
    assert told(admin.post("/setup", {"name": read["name"], **again})) == []
    assert text not in str(read)
    assert written() == before


def written() -> int:
    return AuditEntry.objects.count()


EXTRA = {"id", "prefix", "last_used_at"}


def test_what_differs_is_changed_and_what_is_not_named_stays(admin, project):
    admin.post("/setup", SETUP)
    change = {
        "members": [{"email": "tor@skylane.example", "role": "admin"}],
        "failure_modes": [{"name": "Wrong amount", "definition": "Another."}],
        "contracts": [{**SETUP["contracts"][0], "schema": {"type": "array"}}],
        "queues": [{"name": "Refunds", "q": "prompt:refund*"}],
        "destinations": [{**SETUP["destinations"][0], "events": []}],
        "alerts": [{**SETUP["alerts"][1], "percent": 8}],
    }
    assert told(admin.post("/setup", change)) == [
        "change member tor@skylane.example",
        "change failure mode wrong-amount",
        "change contract refund-reply/2",
        "change queue refunds",
        "change destination ops",
        "change alert Canary",
    ]
    assert told(admin.post("/setup", change)) == []
    assert Alert.objects.get(name="Canary").rule["percent"] == 8
    assert admin.get("/setup").json()["queues"][0]["overlap"] == 0.2
    assert Alert.objects.filter(project=project).count() == 2


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"colour": "red"}, "colour", "colour"),
        ({"members": [{"email": "xyz", "role": "admin"}]}, "members[0].email", "address"),
        ({"members": [{"email": "a@b.example", "role": "owner"}]}, "members[0].role", "owner"),
        ({"members": [{"email": "a@b.example", "role": "admin"},
                      {"email": "A@b.example", "role": "viewer"}]}, "members[1].email", "once"),
        ({"alerts": [{"name": "A", "kind": "new", "to": ["nobody"]}]}, "alerts[0].to", "nobody"),
        ({"queues": [{"name": "Q", "q": "", "reviewers": ["x@y.example"]}]},
         "queues[0].reviewers", "x@y.example"),
        ({"queues": [{"name": "Q", "q": "nope:1"}]}, "queues[0].q", "nope"),
        ({"contracts": [{"name": "c", "applies_to": {}, "schema": {}}]},
         "contracts[0].applies_to", "prompt"),
    ],
)  # fmt: skip
def test_a_wrong_part_is_named_and_nothing_of_the_rest_is_made(admin, project, body, field, says):
    answer = admin.post("/setup", {"name": "Renamed", **body})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert says in error["message"] and error["field"] == field, error
    project.refresh_from_db()
    assert project.name == "Skylane support"


def test_keys_and_seats_are_taken_away_but_not_the_last_admin(admin, project, key):
    admin.post("/setup", SETUP)
    agent = ApiKey.objects.get(name="agent")
    assert admin("DELETE", f"/keys/{agent.pk}").json()["revoked_at"]
    assert admin("DELETE", f"/keys/{agent.pk}").status_code == 404
    assert admin("DELETE", "/members/tor@skylane.example").status_code == 200
    last = admin("DELETE", "/members/anna@skylane.example")
    assert (last.status_code, last.json()["error"]["field"]) == (400, "role")
    assert AuditEntry.objects.filter(action="key.revoked", actor__startswith="th_api_").exists()
