"""The endpoint of a judge, which speaks OpenAI's chat API. Off unless it is set.

The built-in judge of the server and the rubrics of `tracehub run` both ask here.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils import timezone
from urllib3.exceptions import HTTPError

from tracehub.core.trace import Tokens
from tracehub.projects import outbound

SECONDS = 120.0  # a small machine of one's own reads a long trace for a minute
MOST_BYTES = 1_000_000
ANSWER_TOKENS = 300
THOUGHT_TOKENS = 4000  # of a model that thinks before it answers
TOKEN_BYTES = 3  # of a question, at the least, where the endpoint counts nothing
LONGEST_WAIT = 3600.0  # seconds that an endpoint may ask for
_UNSET = {
    401: "It does not take the key: check TRACEHUB_JUDGE_KEY.",
    402: "Its credit is used up: top it up, or check TRACEHUB_JUDGE_KEY.",
    403: "The key may not use this model: check TRACEHUB_JUDGE_KEY and TRACEHUB_JUDGE_MODEL.",
    404: "It knows no such address or model: check TRACEHUB_JUDGE_URL and TRACEHUB_JUDGE_MODEL.",
}
_NO_COMPLETION = "Its answer is no chat completion."
_OF_QUESTION = {400, 413, 422}
_TOO_LONG = re.compile(r"context|too long|too large|exceed", re.IGNORECASE)


class CannotAsk(Exception):
    """The judge gave no answer; the text never holds what the address said.

    `wait` is how many seconds it asked to be let be.
    """

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Declined(CannotAsk):
    """It will not answer this question, however often it is asked. Others it may."""


class Refused(Declined):
    """It takes the question in no such form; `problem` is what it said, for this module alone."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"It answered {status}: the question is too long, or breaks its rules.")
        self.problem = problem


class NotSetUp(CannotAsk):
    """No question will be answered until somebody changes a setting."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    key: str
    model: str

    @property
    def usable(self) -> bool:
        return urlsplit(self.url).scheme in {"http", "https"} and bool(self.model)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]


@dataclass(slots=True)
class Habits:
    """What an endpoint was found to want: parameters that it refuses, and room for thoughts."""

    refuses: set[str] = field(default_factory=set)
    thinks: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return what is asked beside the messages, as far as the endpoint takes it."""
        tokens = THOUGHT_TOKENS if self.thinks else ANSWER_TOKENS
        limit = "max_tokens"
        if limit in self.refuses:  # models that reason have another name for it
            limit, tokens = "max_completion_tokens", THOUGHT_TOKENS
        wanted = {"temperature": 0, "response_format": {"type": "json_object"}, limit: tokens}
        return {name: value for name, value in wanted.items() if name not in self.refuses}

    def learn(self, problem: str) -> bool:
        """Note the parameter that a refusal names; tell whether there is one to leave out."""
        if _TOO_LONG.search(problem):
            return False
        named = [name for name in self.parameters() if name in problem]
        self.refuses.update(named[:1])
        return bool(named)


_habits: dict[Endpoint, Habits] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    tokens: Tokens


def configured() -> Endpoint | None:
    """Return the endpoint of the settings, None when there is none that can be."""
    endpoint = Endpoint(settings.JUDGE_URL, settings.JUDGE_KEY, settings.JUDGE_MODEL)
    return endpoint if endpoint.usable else None


def ask(endpoint: Endpoint, messages: list[dict[str, str]], *, inside: bool = False) -> Reply:
    """Return the judge's reply. Follows no redirect, since that would take the key along.

    A parameter that the endpoint does not take is left out, then and from then on. `inside` lets it
    be on this machine or network, as for who runs `tracehub run` at home. Raises CannotAsk.
    """
    habits = _habits.setdefault(endpoint, Habits())
    while True:
        sent = habits.parameters()
        answer = _post(endpoint, {"messages": messages, **sent}, inside=inside)
        if isinstance(answer, Refused) and habits.learn(answer.problem):
            continue
        if isinstance(answer, CannotAsk):
            raise answer
        if not habits.thinks and _thought_too_long(answer):
            habits.thinks = True
            continue
        return _reply(answer, messages, max(map(_tokens, sent.values())))


def _tokens(value: object) -> int:
    return value if isinstance(value, int) else 0


def _post(endpoint: Endpoint, asked: dict[str, Any], *, inside: bool) -> dict[str, Any] | CannotAsk:
    """Return what the endpoint says, or why it says nothing of use."""
    body = {"model": endpoint.model, "stream": False, **asked}
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    try:
        with (
            (requests.Session() if inside else outbound.session()) as link,
            link.post(
                f"{endpoint.url}/chat/completions", json=body, headers=headers, stream=True,
                timeout=SECONDS, allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            said = answer.raw.read(MOST_BYTES, decode_content=True)
            if answer.status_code != 200:
                return _problem(answer, said.decode("utf-8", "replace"))
        read = json.loads(said)
        return read if isinstance(read, dict) else CannotAsk(_NO_COMPLETION)
    except (requests.RequestException, HTTPError, OSError) as error:
        return CannotAsk(f"It cannot be reached: {type(error).__name__}.")
    except ValueError:
        return CannotAsk(_NO_COMPLETION)


def _reply(said: dict[str, Any], messages: list[dict[str, str]], most: int) -> Reply:
    """Return the text and tokens of a completion of at most `most` tokens. Raises CannotAsk."""
    try:
        choice, usage = said["choices"][0], said.get("usage") or {}
        text = _text(choice, most)
        counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    except (LookupError, TypeError, AttributeError) as error:
        raise CannotAsk(_NO_COMPLETION) from error
    asked = sum(len(message["content"].encode()) for message in messages)
    # Where nothing is counted, a cap in dollars must hold all the same.
    likely = [asked // TOKEN_BYTES, len(text.encode()) // TOKEN_BYTES]
    sent, got = (
        count if isinstance(count, int) else guess
        for count, guess in zip(counts, likely, strict=True)
    )
    return Reply(text, Tokens(sent, got))


def _thought_too_long(said: dict[str, Any]) -> bool:
    """Tell whether a completion was cut while the model still reasoned."""
    with suppress(LookupError, TypeError, AttributeError):
        choice = said["choices"][0]
        message = choice["message"]
        text = message.get("content") or ""
        thought = message.get("reasoning_content") or message.get("reasoning") or not text
        return choice.get("finish_reason") == "length" and bool(thought or "<think>" in text)
    return False


def _problem(answer: requests.Response, said: str) -> CannotAsk:
    """Return what a status other than 200 means for the question and for those after it."""
    status = answer.status_code
    if status == 429 and "insufficient_quota" in said:
        return NotSetUp(f"It answered {status}. {_UNSET[402]}")
    if status in _UNSET:
        return NotSetUp(f"It answered {status}. {_UNSET[status]}")
    if status in _OF_QUESTION:
        return Refused(status, said)
    return CannotAsk(f"It answered {status}.", wait_of(answer.headers.get("Retry-After", "")))


def wait_of(asked: str) -> float:
    """Return how many seconds a Retry-After asks for, as seconds or as a date; 0 for neither."""
    wait = 0.0
    with suppress(ValueError, OverflowError):
        wait = float(asked)
    if not wait and asked:
        with suppress(ValueError, TypeError):
            wait = (parsedate_to_datetime(asked) - timezone.now()).total_seconds()
    return min(wait, LONGEST_WAIT) if wait > 0 else 0.0


def _text(choice: dict[str, Any], most: int) -> str:
    """Return the text of a choice. Raises Declined for one without, TypeError for another shape."""
    message = choice["message"]
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        raise Declined("It refused to judge this trace.")
    if choice.get("finish_reason") == "length":
        raise Declined(f"Its answer was cut at {most} tokens.")
    if not isinstance(content, str):
        raise TypeError("content")
    return content.rpartition("</think>")[2]  # what some models think aloud before they answer
