"""The judge of rubrics: an OpenAI-compatible endpoint, off unless TRACEHUB_JUDGE_URL is set."""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import click

from tracehub.core.assess import rubric
from tracehub.core.assess.checks import CannotCheck, Judge

TIMEOUT_SECONDS = 60.0
MAX_ANSWER = 1_000_000  # bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to wherever the answer points."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirects).open


def configured() -> Judge | None:
    """Return the judge that the environment names, None when there is none.

    Raises UsageError on an address that is none, or without TRACEHUB_JUDGE_MODEL.
    """
    url = os.environ.get("TRACEHUB_JUDGE_URL", "").strip().rstrip("/")
    key = os.environ.get("TRACEHUB_JUDGE_KEY", "").strip()
    model = os.environ.get("TRACEHUB_JUDGE_MODEL", "").strip()
    if not url:
        return None
    if urlsplit(url).scheme not in {"http", "https"} or not model:
        raise click.UsageError(
            "TRACEHUB_JUDGE_URL must be an http or https address, and TRACEHUB_JUDGE_MODEL be set."
        )

    def judge(text: str, wanted: str | None, output: str) -> float:
        return rubric.score(_ask(url, key, wanted or model, rubric.messages(text, output)))

    return judge


def _ask(url: str, key: str, model: str, messages: list[dict[str, str]]) -> str:
    body = json.dumps({"model": model, "messages": messages, "temperature": 0}).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(  # noqa: S310 the scheme was checked above
        f"{url}/chat/completions", data=body, headers=headers
    )
    try:
        with _open(request, timeout=TIMEOUT_SECONDS) as answer:
            said = json.loads(answer.read(MAX_ANSWER))
        return str(said["choices"][0]["message"]["content"])
    except (OSError, http.client.HTTPException) as error:
        raise CannotCheck(f"The judge cannot be reached: {error}.") from error
    except (ValueError, LookupError, TypeError) as error:
        raise CannotCheck("The judge's answer is no chat completion.") from error
