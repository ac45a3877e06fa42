"""What the demo's three reviewers did: the taxonomy, verdicts, and an eval set of regressions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from tracehub.cli.demo import runs
from tracehub.cli.demo.story import Scene, moment
from tracehub.cli.demo.troubles import GOOD_NOTES, MODES, SUPPORT, UNSURE_NOTES
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.evals.models import EvalSet
from tracehub.projects import actions as projects
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, queueing, taxonomy
from tracehub.review.models import FailureMode, Review, Severity, Verdict
from tracehub.traces import reading

PEOPLE = (("maja", "Maja Berg"), ("tor", "Tor Olsen"), ("anna", "Anna Nilsson"))
FAILED, PASSED, UNSURE = 50, 70, 10
OF_EACH = 2  # failures of each trouble are reviewed for sure, where there are as many,
OF_AMOUNT = 10  # and so many broken amounts, which people were asked to look at
UNSEEN = 12  # the newest traces, which nobody has looked at yet
EXAMPLES = 2  # traces named by the definition of a mode
SET = "refund-regressions"
SET_ABOUT = "What the refund agent got wrong once, and must not again."
QUEUE, QUEUE_FILTER, QUEUE_SIZE = "Refund canary", "cohort:canary", 60
KNOWN, FORMAT, SUCCESS, RISKY, DRAFTED = 11, 4, 5, 6, 2


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verdict to be given on a scene."""

    scene: Scene
    verdict: str
    note: str
    modes: tuple[str, ...] = ()
    severity: str = ""
    correction: Any = actions.NOTHING


def opinions(scenes: Sequence[Scene]) -> list[Opinion]:
    """Return what the reviewers say: of failures, good answers and open questions, by age."""
    rng = random.Random(f"{scenes[0].trace_id}/reviews")  # noqa: S311 a demo has no secrets
    seen = scenes[UNSEEN:]
    bad = [s for s in seen if s.trouble and not s.trouble.quiet]
    turns = _turns(rng.sample(bad, len(bad)))
    bad = [scene for _, scene in sorted(turns, key=_less_urgent)]
    chosen = [_failing(scene) for scene in bad[:FAILED]]
    good = [s for s in seen if s.trouble is None and (s.topic or s.app != SUPPORT)]
    for n, scene in enumerate(rng.sample(good, min(PASSED + UNSURE, len(good)))):
        unsure = n < UNSURE
        notes, verdict = (UNSURE_NOTES, Verdict.UNSURE) if unsure else (GOOD_NOTES, Verdict.PASS)
        chosen.append(Opinion(scene, verdict, rng.choice(notes)))
    return sorted(chosen, key=lambda opinion: -opinion.scene.index)


def _less_urgent(turn: tuple[int, Scene]) -> int:
    count, scene = turn
    return 0 if scene.has("amount") and count < OF_AMOUNT else min(count, OF_EACH)


def _turns(scenes: Sequence[Scene]) -> list[tuple[int, Scene]]:
    """Return each scene with how many of the same trouble come before it."""
    seen: Counter[str] = Counter()
    turns = []
    for scene in scenes:
        key = scene.trouble.key if scene.trouble else ""
        turns.append((seen[key], scene))
        seen[key] += 1
    return turns


def _failing(scene: Scene) -> Opinion:
    trouble = scene.trouble
    if trouble is None:
        raise ValueError(f"Scene {scene.index} has no trouble.")
    correction: Any = actions.NOTHING
    if trouble.key in {"amount", "scope", "rule"} and scene.topic:
        answer = {"reason": scene.topic.reason, "reply": scene.answer}
        correction = {"refund": scene.refund, **answer}
    note = random.Random(f"{scene.seed}/note").choice(trouble.notes)  # noqa: S311 no secret
    return Opinion(scene, Verdict.FAIL, note, trouble.modes, trouble.severity, correction)


def open_project(slug: str) -> Project:
    """Return the demo's project, made when new, with every superuser among its admins."""
    admins = list(User.objects.filter(is_superuser=True, is_active=True).order_by("pk"))
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        name = "Skylane support" if slug == "demo" else slug
        project = projects.create_project(slug, name, by=admins[0] if admins else None)
    for admin in admins:
        if not project.memberships.filter(user=admin).exists():
            projects.set_role(project, admin, Role.ADMIN)
    # The first sign-in should show something.
    User.objects.filter(pk__in=[a.pk for a in admins], last_project=None).update(
        last_project=project
    )
    return project


def write(
    project: Project,
    scenes: Sequence[Scene],
    *,
    now: float,
    days: int,
    done: Callable[[int], None],
) -> int:
    """Write taxonomy, reviews and the eval set, each once; return how many reviews are new."""
    reviewers = people(project)
    given = opinions(scenes)
    modes = _modes(project, given)
    # Before the reviews, so that some of its traces are done and some are left to do.
    queueing.create_queue(project, QUEUE, q=QUEUE_FILTER, size=QUEUE_SIZE)
    new = list(_reviews(project, unwritten(project, given), reviewers, modes, now, days, done))
    Review.objects.bulk_update(new, ["created_at"])
    _publish(project, reviewers[0])
    _eval_set(project, given, reviewers[0])
    fixed = EvalSet.objects.filter(project=project, slug=SET).exclude(versions=None).first()
    if fixed is not None:
        runs.write(fixed, reviewers[0])
    return len(new)


def unwritten(project: Project, given: Sequence[Opinion]) -> list[Opinion]:
    """Return the opinions that no review of the project holds yet."""
    marks = [_submission(opinion.scene) for opinion in given]
    there = Review.objects.filter(project=project, submission__in=marks)
    known = set(there.values_list("submission", flat=True))
    return [opinion for opinion, mark in zip(given, marks, strict=True) if mark not in known]


def _submission(scene: Scene) -> UUID:
    return uuid5(UUID(hex=scene.trace_id), "demo review")


def people(project: Project) -> list[User]:
    """Return the reviewers; without a password they sign in by a link of `tracehub createuser`."""
    found = []
    for mailbox, name in PEOPLE:
        user = projects.add_user(f"{mailbox}@skylane.example")
        if not user.name:
            user.name = name
            user.save(update_fields=["name"])
        if not project.memberships.filter(user=user).exists():
            projects.set_role(project, user, Role.REVIEWER)
        found.append(user)
    return found


def _modes(project: Project, given: Sequence[Opinion]) -> set[str]:
    """Make the taxonomy where a slug is free; return the slugs that reviews may use."""
    known = set(FailureMode.objects.filter(project=project).values_list("slug", flat=True))
    for mode in MODES:
        if mode.slug not in known:
            shown = [o.scene.trace_id for o in given if mode.slug in o.modes][-EXAMPLES:]
            rule = mode.first or mode.definition
            made, _ = actions.create_mode(
                project, mode.name, slug=mode.slug, definition=rule, examples=shown
            )
            taxonomy.give_examples(made, mode.bad, mode.good)
    usable = FailureMode.objects.filter(project=project, archived_at=None)
    return set(usable.values_list("slug", flat=True))


def _publish(project: Project, by: User) -> None:
    """Sharpen the rules that began otherwise and publish the taxonomy, once.

    Labels given under the first rule may no longer hold: there is something to check again.
    """
    if taxonomy.newest(project) is not None:
        return
    for mode in MODES:
        made = FailureMode.objects.filter(project=project, slug=mode.slug).first()
        if made is not None and mode.first and made.definition == mode.first:
            actions.edit_mode(made, made.name, mode.definition, by=by)
    taxonomy.publish(project, by=by)


def _reviews(
    project: Project,
    given: Sequence[Opinion],
    people: Sequence[User],
    modes: set[str],
    now: float,
    days: int,
    done: Callable[[int], None],
) -> Iterator[Review]:
    """Submit reviews and yield each, dated some hours after its trace."""
    for opinion in given:
        scene = opinion.scene
        rng = random.Random(f"{scene.seed}/reviewer")  # noqa: S311 a demo has no secrets
        review, _ = actions.submit_review(
            project,
            UUID(hex=scene.trace_id),
            opinion.verdict,
            author=rng.choice(people),
            modes=[slug for slug in opinion.modes if slug in modes],
            severity=opinion.severity or ("" if opinion.verdict != "fail" else Severity.MEDIUM),
            note=opinion.note,
            corrected_output=opinion.correction,
            submission=_submission(scene),
            took_ms=round(1000 * rng.lognormvariate(3.4, 0.5)),
        )
        started = datetime.fromtimestamp(moment(scene, now, days), UTC)
        later = started + timedelta(hours=rng.uniform(0.02, 20))
        review.created_at = min(later, datetime.fromtimestamp(now, UTC))
        done(1)
        yield review


def _eval_set(project: Project, given: Sequence[Opinion], by: User) -> None:
    """Promote reviewed refunds into a set, fix its first version and start the next draft."""
    if EvalSet.objects.filter(project=project, slug=SET).exclude(versions=None).exists():
        return
    eval_set, _ = evals.create_set(project, SET, description=SET_ABOUT)
    cases = list(_cases(given))
    fixed = cases[:-DRAFTED] or cases
    for kind, opinion in fixed:
        _promote(eval_set, kind, opinion)
    if fixed:
        evals.fix(eval_set, note="First cases of the v12 canary", by=by)
    for kind, opinion in cases[len(fixed) :]:
        _promote(eval_set, kind, opinion)


def _cases(given: Sequence[Opinion]) -> Iterator[tuple[str, Opinion]]:
    """Yield kind and source of each case: the newest of each trouble first, each trace once."""
    refunds = [o for o in reversed(given) if o.scene.app == SUPPORT]
    failed = [o for o in refunds if o.verdict == Verdict.FAIL]
    risky = [o for o in failed if o.scene.has("tone", "identity", "scope")]
    formats = [o for o in failed if o.scene.has("amount")]
    good = [o for o in refunds if o.verdict == Verdict.PASS and o.scene.refund]
    turns = zip(failed, _turns([o.scene for o in failed]), strict=True)
    mixed = [o for o, _ in sorted(turns, key=lambda pair: pair[1][0])]
    known = [o for o in mixed if o not in risky[:RISKY] and o not in formats[:FORMAT]]
    yield from (("format", o) for o in formats[:FORMAT])
    yield from (("success", o) for o in good[:SUCCESS])
    yield from (("risky_edge", o) for o in risky[:RISKY])
    yield from (("known_failure", o) for o in known[: KNOWN + DRAFTED])


def _promote(eval_set: EvalSet, kind: str, opinion: Opinion) -> None:
    trace = reading.load(eval_set.project, UUID(hex=opinion.scene.trace_id))
    if trace is not None:  # else pruned meanwhile
        case, _ = promoting.promote_trace(eval_set, trace, kind=kind)
        evals.update_case(eval_set, case.number, {"title": opinion.scene.question[:120]})
