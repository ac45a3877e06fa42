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


class CannotAsk(Exception):
    """The judge gave no answer; the text never holds what the address said."""


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
        "max_tokens": ANSWER_TOKENS,
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
                raise CannotAsk(f"It answered {answer.status_code}.")
            said = json.loads(answer.raw.read(MOST_BYTES, decode_content=True))
        text, usage = said["choices"][0]["message"]["content"], said.get("usage") or {}
        counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    except (requests.RequestException, OSError) as error:
        raise CannotAsk(f"It cannot be reached: {type(error).__name__}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CannotAsk("Its answer is no chat completion.") from error
    if not isinstance(text, str):
        raise CannotAsk("Its answer is no chat completion.")
    sent, got = (one if isinstance(one, int) else None for one in counts)
    return Reply(text, Tokens(sent, got))
