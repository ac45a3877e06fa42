"""Writing a version of an eval set in the format of another tool."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from tracehub.cli.accounts import find_project
from tracehub.cli.places import destination, opened
from tracehub.core import exports
from tracehub.evals import querysets
from tracehub.evals.models import EvalSet
from tracehub.projects.actions import audit


def write(name: str, fmt: exports.Format, out: str, *, draft: bool, project: str) -> None:
    """Write the set `SLUG[@VERSION]` to `out` and say what became of its assertions."""
    slug, _, version = name.partition("@")
    place = find_project(project)
    eval_set = EvalSet.objects.filter(project=place, slug=slug).first()
    if eval_set is None:
        raise click.ClickException(f"There is no eval set {slug!r} in project {place.slug}.")
    number = _number(eval_set, version, draft=draft)
    tally = exports.Tally()
    bundle = querysets.bundle(eval_set, number)
    if next(iter(bundle.cases), None) is None:
        raise click.ClickException(f"{slug}@{number} has no cases to export.")
    if len(fmt.files) == 1:
        ((filename, pieces),) = fmt.write(bundle, tally)
        _save(destination(out, filename), pieces)
    else:
        _save_all(out, fmt.write(bundle, tally), fmt)
    audit("evalset.exported", project=place, object=f"{slug}@{number}", format=fmt.name)
    click.echo(tally.sentence(fmt), err=True)


def _number(eval_set: EvalSet, version: str, *, draft: bool) -> int:
    newest = querysets.newest_version(eval_set)
    if draft:
        if version:
            raise click.UsageError("--draft goes without @VERSION: a draft has no number yet.")
        return querysets.draft_number(eval_set)
    if not newest:
        raise click.ClickException(
            f"{eval_set.slug} has no fixed version. Fix its draft, or add --draft."
        )
    if not version:
        return newest
    if not version.isdigit() or not 1 <= int(version) <= newest:
        raise click.ClickException(
            f"{eval_set.slug} has the versions 1 to {newest}. Got {version[:20]!r}."
        )
    return int(version)


def _save(path: Path | None, pieces: Iterable[bytes]) -> None:
    with opened(path) as file:
        file.writelines(pieces)


def _save_all(out: str, parts: Iterable[exports.base.Part], fmt: exports.Format) -> None:
    if out == "-":
        raise click.UsageError(
            f"{fmt.name} writes {len(fmt.files)} files: --out must be a folder, not -."
        )
    folder = Path(out).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for name, pieces in parts:
        _save(folder / name, pieces)
