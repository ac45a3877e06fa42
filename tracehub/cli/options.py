"""Options that several commands take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from tracehub.cli import config

Command = TypeVar("Command", bound=Callable[..., object])


def _use_folder(_ctx: click.Context, _option: click.Parameter, value: Path | None) -> None:
    """Let everything below read the folder where it always does, in the environment."""
    if value is not None:
        os.environ["TRACEHUB_DATA_DIR"] = str(value.expanduser().resolve())


def data_option(command: Command) -> Command:
    """Add `--data DIR`, which goes before TRACEHUB_DATA_DIR."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=_use_folder,
        help=f"Data folder (TRACEHUB_DATA_DIR; default {config.platform_data_dir()}).",
    )(command)


def project_option(command: Command) -> Command:
    """Add `--project SLUG`, whose default is TRACEHUB_PROJECT, else `default`."""
    return click.option(
        "--project",
        metavar="SLUG",
        envvar="TRACEHUB_PROJECT",
        default="default",
        show_default=True,
        help="Project (TRACEHUB_PROJECT).",
    )(command)
