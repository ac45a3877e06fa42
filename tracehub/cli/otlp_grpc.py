"""`tracehub otlp-grpc`."""

from __future__ import annotations

import asyncio
import signal

import click

from tracehub.cli import config
from tracehub.cli.options import data_option

PORT = 4317


@click.command()
@click.option(
    "--host", default=config.DEFAULT_HOST, show_default=True, help="Address to listen on."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port."
)
@data_option
def otlp_grpc(host: str, port: int) -> None:
    """Take OTLP over gRPC, beside a running `tracehub up`. Ctrl-C stops it.

    \b
    Example:
      tracehub otlp-grpc --port 4317
    """
    from tracehub.cli.connect import application

    with application():
        try:
            asyncio.run(_serve(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        except OSError as error:
            raise config.ConfigError(f"{error}. Choose another port with --port.") from None


async def _serve(address: str) -> None:
    from tracehub.ingest import grpc_server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    host = address.rpartition(":")[0]
    await grpc_server.serve(
        address, lambda port: click.echo(f"OTLP over gRPC at {host}:{port}", err=True), stop
    )
