"""Reads settings from the environment. What `settings` asks of each value stands there.

A wrong value stops the start with one line: the name, the rule, what came.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BROKERS = {"redis", "rediss", "amqp", "amqps"}


# A name, all below one (.example.com), every one (*), or an address of IPv6 in brackets.
_HOST = re.compile(r"\*|\.?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*|\[[0-9a-fA-F:.]+\]")


class SettingError(SystemExit):
    """A setting that its operator can mend; printed as one line."""


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int = 1_000_000) -> int:
    text = env_str(name)
    if not text:
        return default
    if not text.isdigit():
        raise SettingError(f"{name} must be a whole number. Got {text!r}.")
    if not minimum <= int(text) <= maximum:
        raise SettingError(f"{name} must lie between {minimum} and {maximum}. Got {text}.")
    return int(text)


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    text = env_str(name, default) or default
    if text not in choices:
        raise SettingError(f"{name} must be one of {', '.join(choices)}. Got {text!r}.")
    return text


def env_url(name: str) -> str:
    text = env_str(name)
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        # The rest may hold a key.
        raise SettingError(
            f"{name} must be an http or https address. Got {parts.scheme or 'no scheme'}://…"
        )
    return text


def env_list(name: str) -> list[str]:
    return [part.strip() for part in env_str(name).split(",") if part.strip()]


def env_hosts(name: str) -> list[str]:
    hosts = env_list(name)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise SettingError(
                f"{name} must hold names of hosts such as hub.example.com, with commas and without "
                f"https:// or a port. Got {host!r}."
            )
    return hosts


def env_networks(name: str) -> list[str]:
    networks = env_list(name)
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            raise SettingError(
                f"{name} must hold networks such as 10.1.0.0/16, with commas. Got {network!r}."
            ) from None
    return networks


def mail(url: str) -> dict[str, Any]:
    """Return Django's settings for a `smtp://user:password@host:587?from=TraceHub <a@b.c>`.

    `smtps` is TLS from the start, `smtp` begins it with STARTTLS but on port 25. Without an
    address mail is printed to the log.
    """
    if not url:
        return {"backend": "console"}
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or set(query) - {"from"}:
        raise SettingError(
            "TRACEHUB_EMAIL_URL must look like smtp://user:password@host:587?from=a@b.example. "
            f"Got {parts.scheme or 'no scheme'}://…"
        )
    secure = parts.scheme == "smtps"
    port = parts.port or (465 if secure else 587)
    sender = query.get("from") or f"tracehub@{parts.hostname}"
    return {
        "backend": "smtp",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": secure,
        "EMAIL_USE_TLS": not secure and port != 25,
        "EMAIL_TIMEOUT": 10,
        "DEFAULT_FROM_EMAIL": sender,
        "SERVER_EMAIL": sender,
    }


def broker(url: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the broker's address and transport options for Celery; without an address a folder."""
    parts = urlsplit(url)
    if url and (parts.scheme not in BROKERS or not parts.netloc):
        raise SettingError(
            "TRACEHUB_BROKER_URL must look like redis://host:6379/0 or amqp://user:password@host. "
            f"Got {parts.scheme or 'no scheme'}://…"
        )
    if url:
        return url, {"visibility_timeout": 3600}
    messages = str(folder / "messages")
    return "filesystem://folder", {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": str(folder / "control"),
        "polling_interval": 0.1,
    }


def payload_storage(url: str, usual: Path) -> dict[str, Any]:
    """Return Django's storage for `file:///folder` or `s3://bucket/prefix?endpoint_url=…`.

    Without an address it is the `usual` folder, which an installation that moved payloads once
    and moves none any more still reads. S3 takes its keys from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, or from the machine's role.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    place = unquote(parts.path)
    if parts.scheme == "s3" and parts.netloc and not set(query) - {"endpoint_url", "region_name"}:
        if find_spec("storages") is None or find_spec("boto3") is None:
            raise SettingError(
                "TRACEHUB_PAYLOADS_URL with s3:// needs the packages of the extra s3: "
                "pip install 'tracehub[s3]'."
            )
        known = {"bucket_name": parts.netloc, "location": place.strip("/"), **query}
        options = known | {"file_overwrite": True, "addressing_style": "path"}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    if url and (parts.scheme != "file" or parts.netloc or not place.strip("/")):
        raise SettingError(
            "TRACEHUB_PAYLOADS_URL must look like file:///srv/payloads or "
            "s3://bucket/prefix?endpoint_url=https://s3.example.com&region_name=eu-central-1. "
            f"Got {url!r}."
        )
    folder = {"location": place or str(usual), "file_permissions_mode": 0o600}
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": folder | {"directory_permissions_mode": 0o700},
    }


def database(name: str, url: str) -> dict[str, Any]:
    """Return Django's settings for a `postgres://user:password@host:port/database?host=/socket`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise SettingError(
            f"{name} must look like postgresql://user:password@host:5432/database. "
            f"Got {parts.scheme or 'no scheme'}://…"
        )
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", "") or parts.hostname or "",
        "PORT": str(query.pop("port", "") or parts.port or ""),
        # Pages may come through PgBouncer in transaction mode: no server-side cursors, no
        # prepared statements that outlive a transaction.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "CONN_MAX_AGE": 0,
        # The pool tries a connection before it gives it out: after a failover none is dead.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **query,
            "pool": {"min_size": 1, "max_size": 8, "timeout": 5},
            "connect_timeout": 5,
            "application_name": "tracehub",
        },
    }
