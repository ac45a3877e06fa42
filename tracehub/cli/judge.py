"""The judge of rubrics: an OpenAI-compatible endpoint, off unless TRACEHUB_JUDGE_URL is set."""

from __future__ import annotations

import os
from dataclasses import replace

import click

from tracehub.core.assess import rubric
from tracehub.core.assess.checks import CannotCheck, Judge
from tracehub.projects import judge_endpoint
from tracehub.projects.judge_endpoint import CannotAsk, Endpoint


def configured() -> Judge | None:
    """Return the judge that the environment names, None when there is none.

    Raises UsageError on an address that is none, or without TRACEHUB_JUDGE_MODEL.
    """
    endpoint = Endpoint(
        os.environ.get("TRACEHUB_JUDGE_URL", "").strip().rstrip("/"),
        os.environ.get("TRACEHUB_JUDGE_KEY", "").strip(),
        os.environ.get("TRACEHUB_JUDGE_MODEL", "").strip(),
    )
    if not endpoint.url:
        return None
    if not endpoint.usable:
        raise click.UsageError(
            "TRACEHUB_JUDGE_URL must be an http or https address, and TRACEHUB_JUDGE_MODEL be set."
        )

    def judge(text: str, wanted: str | None, output: str) -> float:
        asked = replace(endpoint, model=wanted or endpoint.model)
        try:
            reply = judge_endpoint.ask(asked, rubric.messages(text, output), inside=True)
        except CannotAsk as error:
            raise CannotCheck(f"The judge gave no answer. {error}") from error
        return rubric.score(reply.text)

    return judge
