from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from tracehub.cli.demo import decisions, send, spans, story
from tracehub.cli.demo.troubles import BY_KEY, SUPPORT
from tracehub.core import suspect
from tracehub.core.contracts.checking import Contract, signals
from tracehub.core.digest import digest
from tracehub.core.grouping import v1
from tracehub.core.grouping.origin import prompt_of
from tracehub.core.signals.base import Evidence
from tracehub.core.signals.run import detect
from tracehub.core.summary import summarise
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp import decode_protobuf

NOW = 1_795_000_000.0
DAY = 86_400


@pytest.fixture(scope="module")
def scenes():
    return story.plan(13, 1200, 14)


@pytest.fixture(scope="module")
def seen(scenes):
    """(scene, spans, summary, signals) of each trace, as a server would have them."""
    by_trace = defaultdict(list)
    decoded = decode_protobuf(spans.encode(send.build(s, NOW, 14) for s in scenes))
    assert not decoded.rejected
    for raw in decoded.spans:
        by_trace[raw.trace_id].append(normalise(raw, arrived_ns=int(NOW * 1e9)))
    return [
        (scene, by_trace[scene.trace_id], *_judged(by_trace[scene.trace_id])) for scene in scenes
    ]


def _judged(of_trace):
    digests = sorted((digest(s) for s in of_trace), key=lambda d: (d.start_ns, d.span_id))
    summary = summarise(digests)
    return summary, detect(Evidence(summary, digests, [], settled=True))


def test_the_same_seed_gives_the_same_bytes(scenes):
    again = story.plan(13, 1200, 14)
    assert again == scenes
    first, second = (
        spans.encode(send.build(s, NOW, 14) for s in some[:60]) for some in (scenes, again)
    )
    assert first == second


def test_another_seed_gives_other_traces(scenes):
    other = story.plan(14, 1200, 14)
    assert not {s.trace_id for s in other} & {s.trace_id for s in scenes}


def test_a_later_run_tells_the_same_story_at_later_times(scenes):
    def told(now):
        return [
            (s.name, s.attributes, s.end_ns - s.start_ns)
            for scene in scenes[:60]
            for s in send.build(scene, now, 14).spans
        ]

    assert told(NOW) == told(NOW + 5 * 3600 + 7)


def test_times_go_from_now_back_over_all_days_with_a_daily_rhythm(scenes):
    starts = [story.moment(scene, NOW, 14) for scene in scenes]
    assert max(starts) < NOW
    assert NOW - min(starts) > 13.5 * DAY
    assert starts[0] > NOW - 600, "the first ones sent are the newest"
    hours = Counter(int(start // 3600) % 24 for start in starts)
    night, noon = sum(hours[h] for h in range(1, 5)), sum(hours[h] for h in range(8, 12))
    assert noon > 3 * night


def test_no_trace_reaches_into_the_future(seen):
    for _, _, summary, _ in seen:
        assert summary.start_ns + summary.duration_ns < NOW * 1e9


def test_every_trace_is_whole_and_says_what_lists_show(seen):
    for scene, of_trace, summary, _ in seen:
        assert (summary.trace_id, summary.name) == (scene.trace_id, scene.app)
        assert summary.root_present
        assert summary.finished
        assert summary.environment == scene.environment
        assert summary.cohort == scene.cohort
        assert summary.user_id == scene.user
        assert summary.session_id
        assert summary.outcome
        assert summary.tokens.total
        assert 3 <= len(of_trace) <= 20
    shown = {label for _, _, summary, _ in seen for label in summary.prompts}
    assert {"refund@v11", "refund@v12", "summary@v4", "summary@v5", "route@v2"} <= shown
    models = {model for _, _, summary, _ in seen for model in summary.models}
    assert models == {"gpt-4o", "gpt-4o-mini", "mistral-large", "llama-3.3-70b"}


EXPECTED = {
    "amount": "validation_error",
    "loop": "tool_loop",
    "rules_503": "tool_error",
    "rules_down": "tool_error",
    "fallback": "fallback",
    "timeout": "timeout",
    "truncated": "truncated",
    "no_documents": "empty_retrieval",
    "card_number": "guardrail_hit",
    "summary_timeout": "retried",
}


@pytest.mark.parametrize(("trouble", "kind"), EXPECTED.items())
def test_each_trouble_gives_the_signal_it_stands_for(trouble, kind):
    scene = next(s for s in story.plan(13, 9000, 14) if s.trouble == BY_KEY[trouble])
    decoded = decode_protobuf(spans.encode([send.build(scene, NOW, 14)]))
    _, signals = _judged([normalise(raw, arrived_ns=int(NOW * 1e9)) for raw in decoded.spans])
    assert kind in {signal.kind for signal in signals}


def test_a_scene_without_trouble_has_no_signals(seen):
    loud = [scene.index for scene, _, _, signals in seen if signals and scene.trouble is None]
    assert not loud


def test_the_first_conversation_is_the_broken_refund(seen):
    scene, of_trace, summary, signals = seen[2]
    assert scene.session == "s-91"
    assert summary.prompts == ["refund@v12", "route@v2"]
    assert summary.retries == 1
    broken = [span for span in of_trace if span.name == "compose-refund"]
    assert [error.pointer for span in broken for error in span.validation_errors] == [
        "/refund/amount",
        "/refund/amount",
    ]
    error = next(s for s in signals if s.kind == "validation_error" and s.pointer)
    assert error.message == 'must be number. Got the string "418.60 EUR".'
    assert "hand_to_agent" in {span.name for span in of_trace}
    retriever = next(span for span in of_trace if span.kind == "retriever")
    assert [document["id"] for document in retriever.context] == [
        "policy-118",
        "policy-094",
        "policy-201",
    ]


@pytest.fixture(scope="module")
def laid_to(seen):
    """Under which prompt versions each failure of the contract came, by its title, oldest first."""
    schema = decisions._schema(decisions.METHODS_FROM)
    contract = Contract("refund-reply/3", "refund", None, schema)
    found = defaultdict(list)
    for _, of_trace, summary, _ in sorted(seen, key=lambda one: one[2].start_ns):
        digests = [digest(span) for span in of_trace]
        broken = [
            each
            for span in of_trace
            if not span.error and contract.applies(digest(span))
            for each in signals(contract, digest(span), span.output)
        ]
        names = {span.span_id: span.name for span in of_trace}
        for group in v1.groups(broken, names, trace=summary.name):
            first = broken[group.signals[0]].span_id
            found[group.title.partition(":")[0]].append(prompt_of(first, digests))
    return found


def test_the_amount_is_new_since_v12_which_is_the_suspect(laid_to, seen):
    amounts = laid_to["refund.amount"]
    assert len(amounts) >= suspect.LEAST
    assert set(amounts) == {"refund@v12"}
    totals = Counter(("prompt", label) for *_, summary, _ in seen for label in summary.prompts)
    found = suspect.find(suspect.parts({("prompt", "refund@v12"): len(amounts)}, totals))
    assert found is not None and found.part.value == "refund@v12"


def test_the_fare_rules_fail_with_their_newer_version(seen):
    totals = Counter(("tool", name) for *_, summary, _ in seen for name in summary.tools)
    down = [summary for _, _, summary, found in seen if "tool_error" in {s.kind for s in found}]
    hits = Counter(("tool", name) for summary in down for name in summary.tools)
    found = suspect.find(suspect.parts(hits, totals))
    assert found is not None and found.part.value == "get_fare_rules@2.4.0"


def test_the_currency_was_wrong_until_v11(laid_to):
    assert len(laid_to["refund.currency"]) > 3
    assert set(laid_to["refund.currency"]) == {"refund@v10"}


def test_the_canary_fails_more_often_than_control(seen):
    def rate(version):
        of = [
            any(s.severity in {"high", "critical"} for s in signals)
            for scene, _, _, signals in seen
            if scene.version == version and scene.topic
        ]
        return sum(of) / len(of)

    assert rate("v12") > 4 * rate("v11")


def test_latencies_and_costs_are_those_of_such_an_agent(seen):
    refunds = [summary for scene, _, summary, _ in seen if scene.app == SUPPORT and scene.topic]
    seconds = sorted(summary.duration_ns / 1e9 for summary in refunds)
    assert 2.8 < seconds[len(seconds) // 2] < 4.2
    assert 5 < seconds[int(len(seconds) * 0.95)] < 10
    assert sum(s.tokens.total for s in refunds) / len(refunds) > 4000


def test_scores_are_stable_and_some_are_thumbs_down(scenes):
    given, again = ([s for scene in scenes if (s := send.score(scene))] for _ in range(2))
    assert given == again
    values = Counter(thumb["value"] for thumb in given)
    assert values[1] > values[0] > 5
    assert len({thumb["id"] for thumb in given}) == len(given)


def test_a_self_hosted_model_sends_its_own_cost(seen):
    priced = [
        span.cost
        for _, of_trace, _, _ in seen
        for span in of_trace
        if span.model == "llama-3.3-70b" and span.tokens
    ]
    assert priced
    assert all(isinstance(cost, Decimal) and cost > 0 for cost in priced)
