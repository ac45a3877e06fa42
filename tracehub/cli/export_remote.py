"""`tracehub export evals` from a server elsewhere: what its API answers, as the same files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import click

from tracehub.cli.hub import parse_name
from tracehub.cli.places import destination, opened
from tracehub.cli.remote import Api, part
from tracehub.core import exports


def write(api: Api, name: str, fmt: exports.Format, out: str, *, draft: bool, raw: bool) -> None:
    """Write the set `SLUG[@VERSION]` to `out` and say what became of its assertions."""
    slug, wanted = parse_name(name)
    if draft and wanted:
        raise click.UsageError("--draft goes without @VERSION: a draft has no number yet.")
    if len(fmt.files) > 1 and out == "-":
        raise click.UsageError(
            f"{fmt.name} writes {len(fmt.files)} files: --out must be a folder, not -."
        )
    place = f"/eval-sets/{part(slug)}"
    if wanted is None:
        found = api.get(place).json()
        newest = max((one["version"] for one in found["versions"]), default=0)
        wanted = found["draft"]["version"] if draft else newest
    if not wanted:
        raise click.ClickException(f"{slug} has no fixed version. Fix its draft, or add --draft.")
    query = {"format": fmt.name}
    query |= {name: "true" for name, wanted in (("draft", draft), ("raw", raw)) if wanted}
    reply = api.get(f"{place}/versions/{wanted}/export", **query)
    if reply.headers.get_content_type() == "application/zip" and len(fmt.files) != 1:
        unpack(reply.body, fmt, out)
    else:
        with opened(destination(out, fmt.files[0])) as file:
            file.write(reply.body)
    click.echo(reply.headers["X-TraceHub-Export"], err=True)


def unpack(body: bytes, fmt: exports.Format, out: str) -> None:
    """Write the files of an archive below `out`; a name that leads elsewhere is refused."""
    folder = Path(out).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in archive.namelist():
            path = (folder / name).resolve()
            if not path.is_relative_to(folder):
                raise click.ClickException(f"The {fmt.name} export holds the odd name {name!r}.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
