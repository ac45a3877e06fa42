"""The endpoint of a judge, which speaks OpenAI's chat API. Off unless it is set.

The built-in judge of the server and the rubrics of `tracehub run` both ask here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from tracehub.core.trace import Tokens
from tracehub.projects import outbound

SECONDS = 60.0
MOST_BYTES = 1_000_000
ANSWER_TOKENS = 300


LONGEST_WAIT = 3600.0  # seconds that an endpoint may ask for
_UNSET = {
    401: "It does not take the key: check TRACEHUB_JUDGE_KEY.",
    403: "The key may not use this model: check TRACEHUB_JUDGE_KEY and TRACEHUB_JUDGE_MODEL.",
    404: "It knows no such address or model: check TRACEHUB_JUDGE_URL and TRACEHUB_JUDGE_MODEL.",
}
_OF_QUESTION = {400, 413, 422}


class CannotAsk(Exception):
    """The judge gave no answer; the text never holds what the address said.

    `wait` is how many seconds it asked to be let be.
    """

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Declined(CannotAsk):
    """It will not answer this question, however often it is asked. Others it may."""


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

    `inside` lets it be on this machine or network, as for who runs `tracehub run` at home. Raises
    CannotAsk.
    """
    body: dict[str, Any] = {
        "model": endpoint.model, "messages": messages, "temperature": 0,
        "max_tokens": ANSWER_TOKENS, "stream": False,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    try:
        with (
            (requests.Session() if inside else outbound.session()) as link,
            link.post(
                f"{endpoint.url}/chat/completions", json=body, headers=headers, stream=True,
                timeout=SECONDS, allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            if answer.status_code != 200:
                raise _problem(answer)
            said = json.loads(answer.raw.read(MOST_BYTES, decode_content=True))
        choice, usage = said["choices"][0], said.get("usage") or {}
        text = _text(choice)
        counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    except (requests.RequestException, OSError) as error:
        raise CannotAsk(f"It cannot be reached: {type(error).__name__}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CannotAsk("Its answer is no chat completion.") from error
    sent, got = (one if isinstance(one, int) else None for one in counts)
    return Reply(text, Tokens(sent, got))


def _problem(answer: requests.Response) -> CannotAsk:
    """Return what a status other than 200 means for the question and for those after it."""
    status = answer.status_code
    if status in _UNSET:
        return NotSetUp(f"It answered {status}. {_UNSET[status]}")
    if status in _OF_QUESTION:
        return Declined(f"It answered {status}: the question is too long, or breaks its rules.")
    asked = answer.headers.get("Retry-After", "")
    wait = min(float(asked), LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 0.0
    return CannotAsk(f"It answered {status}.", wait)


def _text(choice: dict[str, Any]) -> str:
    """Return the text of a choice. Raises Declined for one without, TypeError for another shape."""
    message = choice["message"]
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content)
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        raise Declined("It refused to judge this trace.")
    if choice.get("finish_reason") == "length":
        raise Declined(f"Its answer was cut at {ANSWER_TOKENS} tokens.")
    if not isinstance(content, str):
        raise TypeError("content")
    return content
