"""Who wrote when about what, and what went wrong: scenes from a seed, without a clock.

Scene i of a seed is always the same; only `moment` needs to know what time it is now. Scenes run
from the newest to the oldest, so that the pages have content as soon as the first ones are sent.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tracehub.cli.demo import words
from tracehub.cli.demo.troubles import BY_KEY, SUMMARY, SUPPORT, TROUBLES, Trouble
from tracehub.cli.demo.words import Topic

# Share of sessions that are the canary's, by age in days. It serves 2 %, then 10 % of the users;
# all its traces are kept but one in ten of control, as rollouts usually are watched.
CANARY_SHARE = ((1.0, 0.53), (2.0, 0.17))
STAGING_SHARE = 0.05
STAGING_DAYS = 4.0  # v12 was tried on staging from then on
V11_DAYS = 9.0  # v10 before that
SUMMARY_SHARE = 0.4  # of sessions and tickets together
SUMMARY_V5_DAYS = 5.0
SUMMARY_V5_SHARE = 0.3
TURNS = (1,) * 8 + (2, 2, 3, 4, 5)  # of a conversation, drawn from these
MODELS = ("gpt-4o",) * 17 + ("mistral-large",) * 2 + ("llama-3.3-70b",)
# Relative traffic by UTC hour.
RHYTHM = (
    0.3, 0.25, 0.2, 0.2, 0.25, 0.4, 0.7, 1.0, 1.25, 1.3, 1.3, 1.2,
    1.1, 1.1, 1.2, 1.2, 1.2, 1.3, 1.2, 1.1, 0.9, 0.7, 0.5, 0.4,
)  # fmt: skip
HOUR = 3600.0
AGAIN = 40 * 60.0  # seconds from the try with the version before to the broken turn
LONGEST = 60.0  # seconds that the longest trace may take; the newest ends before now


@dataclass(frozen=True, slots=True)
class Scene:
    """One trace to be: everything but its clock.

    `position` in [0, 1) is its age as a part of the whole time; `before` is how many seconds ahead
    of its conversation's last turn it starts. `refund` and `answer` are the right ones.
    """

    index: int
    seed: str
    trace_id: str
    app: str
    topic: Topic | None
    trouble: Trouble | None
    question: str
    answer: str
    refund: dict[str, Any] | None
    slots: dict[str, str]
    session: str
    turn: int
    user: str
    environment: str
    cohort: str
    version: str
    model: str
    history: tuple[tuple[str, str], ...]
    position: float
    before: float

    @property
    def random(self) -> random.Random:
        """A new generator whose numbers belong to this scene."""
        return random.Random(self.seed)  # noqa: S311 a demo has no secrets

    def has(self, *troubles: str) -> bool:
        return self.trouble is not None and self.trouble.key in troubles


def trace_id(seed: int, index: int) -> str:
    """Return the id of a scene's trace, 32 hex digits."""
    return hashlib.sha256(f"tracehub demo {seed} {index}".encode()).hexdigest()[:32]


def plan(seed: int, traces: int, days: int) -> list[Scene]:
    """Return the scenes of a demo, newest first."""
    scenes: list[Scene] = []
    while len(scenes) < traces:
        scenes.extend(_conversation(seed, len(scenes), traces, days))
    return scenes[:traces]


def moment(scene: Scene, now: float, days: int) -> float:
    """Return when a scene starts, in seconds since the epoch. Every day has the same traffic."""
    day, part = divmod(scene.position * days, 1.0)
    slots = [RHYTHM[int((now - (hour + 0.5) * HOUR) // HOUR) % 24] for hour in range(24)]
    left, back = part * sum(slots), 0
    while left > slots[back]:
        left -= slots[back]
        back += 1
    age = day * 24 * HOUR + (back + left / slots[back]) * HOUR
    return now - age - LONGEST - scene.before


def _conversation(seed: int, index: int, traces: int, days: int) -> Iterator[Scene]:
    """Yield the scenes of one session, or of one ticket."""
    rng = random.Random(f"{seed}/{index}")  # noqa: S311 a demo has no secrets
    age = index / traces * days
    first = _setting(rng, seed, index, age, index / traces)
    if index == 0:
        yield from _flagship(seed, first)
    elif rng.random() < SUMMARY_SHARE:
        yield _summary(rng, first, age)
    else:
        yield from _session(rng, seed, first)


def _setting(rng: random.Random, seed: int, index: int, age: float, position: float) -> Scene:
    """Return a scene with its stage set and nothing played yet."""
    staging = rng.random() < STAGING_SHARE
    share = next((part for limit, part in CANARY_SHARE if age < limit), 0.0)
    canary = not staging and rng.random() < share
    version = "v12" if canary or (staging and age < STAGING_DAYS) else "v11"
    if age >= V11_DAYS:
        version = "v10"
    return Scene(
        index=index,
        seed=f"{seed}/{index}/spans",
        trace_id=trace_id(seed, index),
        app=SUPPORT,
        topic=None,
        trouble=None,
        question="",
        answer="",
        refund=None,
        slots=_slots(rng),
        session=f"s-{rng.getrandbits(32):08x}",
        turn=1,
        user=f"u_{rng.randrange(700) * 91 + 4096:04x}",
        environment="staging" if staging else "production",
        cohort="internal" if staging else "canary" if canary else "control",
        version=version,
        model=rng.choice(MODELS),
        history=(),
        position=position,
        before=0.0,
    )


def _slots(rng: random.Random) -> dict[str, str]:
    currency = rng.choices(("EUR", "SEK", "NOK", "DKK"), (6, 2, 1, 1))[0]
    scale = 1 if currency == "EUR" else 10
    amount = round(min(math.exp(rng.gauss(5.3, 0.7)), 2400) * scale, 2)
    letters = "BCDFGHJKLMNPQRSTVWXZ23456789"
    return {
        "flight": f"SK {rng.randrange(400, 1800)}",
        "city": rng.choice(words.CITIES),
        "pnr": "".join(rng.choice(letters) for _ in range(6)),
        "amount": f"{amount:.2f}",
        "currency": currency,
        "seat": f"{rng.randrange(4, 31)}{rng.choice('ABCDEF')}",
        "voucher": f"SKV-{rng.randrange(1000, 9999)}",
        "gate": f"{rng.choice('ABC')}{rng.randrange(1, 30)}",
        "date": f"{rng.randrange(2, 28)} December",
        "month": rng.choice(words.MONTHS),
        "card": rng.choice(words.CARDS),
        "ticket": str(rng.randrange(80_000, 90_000)),
    }


def _session(rng: random.Random, seed: int, first: Scene) -> Iterator[Scene]:
    """Yield the turns of a conversation; one of them is about money or rules."""
    topic = rng.choice(words.REFUNDS + words.QUESTIONS)
    turns = rng.choice(TURNS) if topic.language in words.OPENERS else 1
    main = rng.randrange(turns)
    gaps = [rng.uniform(35, 110) for _ in range(turns)]
    history: tuple[tuple[str, str], ...] = ()
    for turn in range(turns):
        scene = replace(
            first,
            index=first.index + turn,
            seed=f"{seed}/{first.index + turn}/spans",
            trace_id=trace_id(seed, first.index + turn),
            turn=turn + 1,
            history=history,
            before=sum(gaps[turn + 1 :]),
        )
        if turn == main:
            scene = _about(scene, topic, rng)
        else:
            kind = words.OPENERS if turn < main else words.CLOSERS
            said = kind[topic.language]
            scene = _small_talk(scene, *said[(turn - (main + 1) * (turn > main)) % len(said)])
        yield scene
        history = (*history, ("user", scene.question), ("assistant", scene.answer))


def _about(scene: Scene, topic: Topic, rng: random.Random) -> Scene:
    refund: dict[str, Any] | None = None
    if topic.method:
        people = {"split": 2, "single": 1}.get(topic.key) or rng.choice((1, 1, 2))
        refund = {
            "amount": float(scene.slots["amount"]),
            "currency": scene.slots["currency"],
            "method": topic.method,
            "passengers": rng.sample(words.NAMES, people),
        }
    asked = rng.choice(topic.questions).format(**scene.slots)
    answer = topic.reply.format(**scene.slots)
    scene = replace(scene, topic=topic, question=asked, answer=answer, refund=refund)
    return replace(scene, trouble=_trouble(scene, rng))


def _small_talk(scene: Scene, asked: str, answer: str) -> Scene:
    return replace(scene, question=asked.format(**scene.slots), answer=answer.format(**scene.slots))


def _summary(rng: random.Random, first: Scene, age: float) -> Scene:
    headline, wrote, answer = rng.choice(words.TICKETS)
    new = age < SUMMARY_V5_DAYS and rng.random() < SUMMARY_V5_SHARE
    scene = replace(
        first,
        app=SUMMARY,
        question=f"Ticket {first.slots['ticket']} · {rng.randrange(4, 24)} messages · "
        + headline.format(**first.slots),
        history=(("user", wrote.format(**first.slots)),),
        answer=answer.format(**first.slots),
        version="v5" if new else "v4",
        cohort="internal" if first.environment == "staging" else "canary" if new else "control",
        model="gpt-4o" if new else "gpt-4o-mini",
    )
    return replace(scene, trouble=_trouble(scene, rng))


def _trouble(scene: Scene, rng: random.Random) -> Trouble | None:
    """Draw what goes wrong, if anything."""
    drawn = rng.random()
    for trouble in TROUBLES:
        if not _possible(trouble, scene):
            continue
        new = scene.version in {"v12", "v5"}
        drawn -= trouble.canary if new else trouble.chance
        if drawn < 0:
            return trouble
    return None


def _possible(trouble: Trouble, scene: Scene) -> bool:
    topic = scene.topic
    if trouble.app != scene.app or (trouble.topics and topic and topic.key not in trouble.topics):
        return False
    if trouble.versions and scene.version not in trouble.versions:
        return False
    if trouble.refund is not None and trouble.refund != (scene.refund is not None):
        return False
    return not trouble.foreign or (topic is not None and topic.language != "en")


def _flagship(seed: int, first: Scene) -> Iterator[Scene]:
    """Yield the conversation that stands for the whole story, at the top of every list.

    The last scene is no part of it: its broken turn, tried with the prompt version before.
    """
    slots = first.slots | {
        "flight": "SK 482", "city": "Lisbon", "pnr": "X7K2QD", "amount": "418.60",
        "currency": "EUR", "card": "Visa card", "gate": "B14",
    }  # fmt: skip
    topic = words.REFUNDS[0]
    refund = {
        "amount": 418.6,
        "currency": "EUR",
        "method": topic.method,
        "passengers": ["Ida Holm", "Per Holm"],
    }
    common = replace(
        first, slots=slots, session="s-91", user="u_48f1", environment="production",
        cohort="canary", version="v12", model="gpt-4o",
    )  # fmt: skip
    turns = (
        _small_talk(common, *words.OPENERS["en"][0]),
        _small_talk(common, *words.OPENERS["en"][1]),
        replace(
            common,
            topic=topic,
            trouble=BY_KEY["amount"],
            question=topic.questions[0].format(**slots),
            answer=topic.reply.format(**slots),
            refund=refund,
        ),
        _small_talk(common, *words.CLOSERS["en"][0]),
    )
    history: tuple[tuple[str, str], ...] = ()
    played = []
    for turn, scene in enumerate(turns):
        played.append(
            replace(
                scene,
                index=turn,
                seed=f"{seed}/{turn}/spans",
                trace_id=trace_id(seed, turn),
                turn=turn + 1,
                history=history,
                before=(3 - turn) * 70.0,
            )
        )
        history = (*history, ("user", scene.question), ("assistant", scene.answer))
    yield from played
    yield replace(
        played[2], index=4, seed=f"{seed}/4/spans", trace_id=trace_id(seed, 4), trouble=None,
        session="s-91-again", turn=1, version="v11", environment="staging", cohort="internal",
        before=played[2].before + AGAIN,
    )  # fmt: skip
