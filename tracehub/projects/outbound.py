"""Requests to addresses that people set, which must not reach what lies inside.

The name is looked up once, and the connection goes to an address that was checked. So a name that
answers otherwise the second time, another way of writing 127.0.0.1, and a redirect reach nothing
that they should not. Operators open networks of theirs with TRACEHUB_OUTBOUND_INSIDE.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

TIMEOUT_SECONDS = 10.0
REDIRECTS = 3
_NAT64 = ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """The address lies inside; requests wraps it in a ConnectionError with this text."""


def is_outside(text: str) -> bool:
    """Tell whether an IP address is one of the public internet, or of a network that is opened.

    >>> [is_outside(a) for a in ("169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1")]
    [False, False, False]
    """
    address = _embedded(ip_address(text.partition("%")[0]))
    opened = (ip_network(network) for network in settings.OUTBOUND_INSIDE)
    if any(address in network for network in opened):
        return True
    return address.is_global and not address.is_multicast


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """Connect to an address of `host`. Raises AddressRefused when one of them lies inside."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if not is_outside(str(place[0])):
            raise AddressRefused(
                f"{host} lies inside the network. TRACEHUB_OUTBOUND_INSIDE opens networks."
            )
    problem: OSError = AddressRefused(f"{host} has no address.")
    for family, kind, protocol, _, place in found:
        link = socket.socket(family, kind, protocol)
        link.settimeout(seconds)
        try:
            link.connect(place)
        except OSError as error:
            link.close()
            problem = error
        else:
            return link
    raise problem


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self.host, self.port or 80, TIMEOUT_SECONDS)


class _Sealed(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self.host, self.port or 443, TIMEOUT_SECONDS)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SealedPool(HTTPSConnectionPool):
    ConnectionCls = _Sealed


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SealedPool}

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None,
        verify: Any = True, cert: Any = None, proxies: Any = None,
    ) -> requests.Response:  # fmt: skip
        wait = timeout or TIMEOUT_SECONDS
        return super().send(request, stream, wait, verify, cert, proxies)


def session() -> requests.Session:
    """Return a session that reaches outside addresses alone. It ignores proxies of the environment.

    Only http and https: there is no adapter for other schemes.
    """
    made = requests.Session()
    made.trust_env = False
    made.max_redirects = REDIRECTS
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made
