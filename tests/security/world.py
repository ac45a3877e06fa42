"""One project with an object of every kind, and the people and keys that ask for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from django.test import Client
from django.utils import timezone

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core import cases
from tracehub.core.media import Media
from tracehub.core.trace import SpanFacts
from tracehub.digest.models import BulkJob
from tracehub.evals import actions as evals
from tracehub.evals import rollouts, run_actions
from tracehub.evals.models import CaseImport, EvalSet
from tracehub.failures import actions as failures
from tracehub.failures import talk
from tracehub.metrics import dashboards
from tracehub.notify import actions as notify
from tracehub.notify import alert_actions
from tracehub.projects import actions
from tracehub.projects.models import Project, Scope, User
from tracehub.review import actions as reviews
from tracehub.review import coding, queueing
from tracehub.review.models import FailureMode, JudgeRun, QueueItem, Seat
from tracehub.traces import saved
from tracehub.traces.actions import save_prompt
from tracehub.traces.media import store as media

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
CONTRACT = {
    "type": "object",
    "properties": {"refund": {"type": "object", "properties": {"amount": {"type": "number"}}}},
}
ABSENT: dict[str, object] = {
    "trace_id": "f" * 32, "sha256": "f" * 64, "token": "none", "review_id": 999_999,
    "invitation_id": 999_999,
    "user_id": 999_999, "role": "viewer", "key_id": 999_999, "rule_id": 999_999,
    "mode_slug": "no-such-mode", "run_id": 999_999, "queue_slug": "no-such-queue",
    "seat_id": 999_999, "item_id": 999_999, "job_id": 999_999, "view_id": 999_999,
    "rollout_number": 999,
    "board_id": 999_999, "budget_id": 999_999, "import_id": 999_999,
    "set_slug": "no-such-set", "slug": "no-such-set", "case_id": "c_9999", "number": 999,
    "queue_id": 999_999, "name": "no-such-contract", "recoding_id": 999_999, "price_id": 999_999,
    "own_id": 999_999, "score_id": 999_999,
    "destination_id": 999_999, "alert_id": 999_999, "delivery_id": 999_999,
    "owner_rule_id": 999_999, "erasure_id": 999_999, "session": "no-such-session",
    "user": "no-such-user", "email": "nobody@none.example",
    "version": 1, "id": 999_999, "key": "TH-999", "prompt": "no-such-prompt",
}  # fmt: skip


@dataclass
class World:
    """A project and the ids of what is in it. `word` is in every name, so that leaks show."""

    project: Project
    word: str
    people: dict[str, User]
    keys: dict[str, str]
    objects: dict[str, object]

    def path(self, route: str, objects: dict[str, object] | None = None) -> str:
        """Fill the parameters of a route with the ids of this world, or with `objects`."""
        known = self.objects if objects is None else objects
        if route.startswith("queues/"):  # the API's other `id` is the number of a run
            known = known | {"id": known["queue_id"]}
        if route.startswith("keys/"):
            known = known | {"id": known["key_id"]}
        return _PARAMETER.sub(lambda found: str(known[found[1]]), route)

    def client(self, who: str) -> Client:
        """A browser of `nobody`, or of the person with this role."""
        browser = Client(raise_request_exception=False)
        if who != "nobody":
            browser.force_login(self.people[who])
        return browser


def make(
    word: str,
    number: int,
    *,
    said: str = "",
    trace: Callable[[Project, int], str] = stories.refund_trace,
) -> World:
    """Fill a project called `word`; worlds with other numbers share no id with it.

    `said` is put into every name that people and programs give.
    """
    project = Project.objects.create(slug=word, name=f"Project {word}{said}")
    people = {role: stories.member(project, role, f"{role}@{word}.example")
              for role in ("viewer", "reviewer", "admin")}  # fmt: skip
    stories.member(project, "admin", f"second@{word}.example")
    keys = {scope: actions.create_key(project, scope, f"{word} {scope}")[1]
            for scope in Scope.values}  # fmt: skip
    failures.save_contract(project, f"{word}-reply", CONTRACT, prompt="refund")
    trace_id = trace(project, number)
    mode, _ = reviews.create_mode(
        project, f"{word} mode{said}", slug=f"{word}-mode", definition=f"when{said}"
    )
    review, _ = reviews.submit_review(
        project, UUID(hex=trace_id), "fail", author=people["reviewer"], modes=[mode.slug],
        note=f"{word} note{said}",
    )  # fmt: skip
    facts = SpanFacts(session_id=f"{word}-session", user_id=f"{word}-user")
    factory.trace(project, trace_id=f"{0xBEEF + number:032x}", facts=facts)
    objects: dict[str, object] = {
        "session": facts.session_id, "user": facts.user_id,
        "trace_id": trace_id, "token": "none", "review_id": review.pk, "mode_slug": mode.slug,
        "run_id": _judge_run(project, mode), "email": people["viewer"].email,
        "name": f"{word}-reply", "role": "viewer", "user_id": people["viewer"].pk,
        **_of_sets(project, word, said, number), "job_id": _job(project, people["reviewer"]),
        "board_id": dashboards.save(
            project, people["viewer"], f"{word} board", {}, shared=False
        ).pk,
        "view_id": saved.save(project, people["viewer"], f"{word} view", {}, shared=False).pk,
        **_of_queue(project, word, said, people["reviewer"]), **_of_settings(project, word, said),
    }  # fmt: skip
    # The first failure of each world has a number that the others do not have.
    first = project.failures.order_by("number").first()
    first.number = 1000 + number
    first.save(update_fields=["number"])
    objects["key"] = first.key
    objects["prompt"] = f"{word}-prompt"
    save_prompt(project, f"{word}-prompt", f"v1{said}", f"{word} text{said}", author=f"by{said}")
    other, _ = reviews.create_mode(project, f"{word} other", slug=f"{word}-other")
    recoding = coding.assign(project, [review.pk], other, by=people["reviewer"])
    objects["recoding_id"] = recoding.pk
    picture = Media(sha256(word.encode()).digest(), "image/png", word.encode())
    media.put(project.pk, picture)
    objects["sha256"] = picture.hash.hex()
    return World(project, word, people, keys, objects)


def _job(project: Project, by: User) -> int:
    now = timezone.now()
    job = BulkJob.objects.create(
        project=project, by=by, kind="review", choice={"verdict": "fail"}, since=now, until=now,
        expected=0,
    )  # fmt: skip
    return job.pk


def _of_sets(project: Project, word: str, said: str, runs: int) -> dict[str, object]:
    made, _ = evals.create_set(
        project, f"{word} set{said}", slug=f"{word}-set", description=f"for{said}"
    )
    evals.add_cases(made, [cases.read({
        "kind": "success", "title": f"{word} case{said}", "expected_output": "x",
        "input": {"messages": [{"role": "user", "content": f"{word} asked{said}"}]},
        "assertions": [{"type": "contains", "value": "x"}],
    })])  # fmt: skip
    evals.fix(made)
    body = {"version": 1, "candidate": {"name": f"{word} run"},
            "results": [{"case": "c_0001", "output": "x"}]}  # fmt: skip
    for n in range(runs):
        body["candidate"] = {"name": f"{word} run {n}{said}", "model": f"m{said}"}
        run = run_actions.add_run(made, body)[0]
    rollout = rollouts.start(project, made, f"{word}{said}@v2", f"{word}{said}@v1")
    # Numbers that the other worlds do not have, as of the failures.
    rollout.number = 1000 + runs
    rollout.save(update_fields=["number"])
    return {"set_slug": made.slug, "slug": made.slug, "case_id": "c_0001", "version": 1,
            "rollout_number": rollout.number, "number": run.number, "id": run.number,
            "import_id": _import(made, f"{word} asked{said}")}  # fmt: skip


def _import(made: EvalSet, said: str) -> int:
    return CaseImport.objects.create(
        project=made.project, eval_set=made, file=f"{said}.csv",
        contents=[[2, cases.read({"input": {"variables": {"a": said}}})]],
        about={"formats": {"table": 1}, "untaken": {}, "problems": 0},
    ).pk  # fmt: skip


def _judge_run(project: Project, mode: FailureMode) -> int:
    return JudgeRun.objects.create(
        project=project, mode=mode, rubric="x", version=1, model="m", scope="dev", cap=1,
        state="done",
    ).pk  # fmt: skip


def _of_queue(project: Project, word: str, said: str, reviewer: User) -> dict[str, object]:
    queue, _ = queueing.create_queue(
        project, f"{word} queue{said}", slug=f"{word}-queue", reviewers=[reviewer]
    )
    item = QueueItem.objects.filter(queue=queue).first()
    seat = Seat.objects.filter(item__queue=queue).first()
    return {"queue_slug": queue.slug, "queue_id": queue.pk, "item_id": item.pk,
            "seat_id": seat.pk}  # fmt: skip


def _of_alerts(project: Project, word: str, said: str) -> dict[str, object]:
    by = project.memberships.get(user__email=f"admin@{word}.example").user
    url = f"https://hooks.{word}.example/x"
    hook = notify.add_destination(project, "webhook", f"{word} hook{said}", url, by=by)
    draft = alert_actions.draft(project, "new", f"{word} alert{said}", {}, [hook.pk], 1)
    alert = alert_actions.add(draft, by=by)
    delivery = notify.send_test(hook, by=by)
    rule = talk.add_owner_rule(project, "prompt", f"{word}{said}*", by, by=by)
    return {
        "destination_id": hook.pk,
        "alert_id": alert.pk,
        "owner_rule_id": rule.pk,
        "delivery_id": delivery.pk,
    }


def _of_settings(project: Project, word: str, said: str) -> dict[str, object]:
    key, _ = actions.create_key(project, "viewer", f"{word} spare{said}")
    actions.invite(project, f"soon@{word}.example", "viewer")
    rule = project.mask_rules.create(name=f"{word}-rule", kind="pattern", pattern=f"{word} secret")
    price = project.prices.create(model=f"{word}-*", valid_from="2026-01-01", input=1, output=1)
    own = project.custom_signals.create(
        slug=f"{word}-own", name=f"{word} own{said}", severity="low", q="model:x", created_by="x"
    )
    score = project.score_settings.create(name=f"{word} score{said}", at_most=1)
    more = {"price_id": price.pk, "own_id": own.pk, "score_id": score.pk}
    more["budget_id"] = project.budgets.create(amount=5, created_by="x").pk
    more["erasure_id"] = project.erasures.create(
        kind="user", marks=["0" * 64], by=f"{word}{said}", finished_at=timezone.now()
    ).pk
    more |= _of_alerts(project, word, said)
    return more | {
        "key_id": key.pk,
        "invitation_id": project.invitations.get().pk,
        "rule_id": rule.pk,
    }
