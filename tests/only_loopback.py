"""No test may ask the network: connections and look-ups beyond this machine are refused and fail the test."""

import errno
import ipaddress
import socket
from typing import Any

import pytest

_asked: list[str] = []
_connect, _connect_ex, _look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def is_here(host: Any) -> bool:
    """Whether a host is this machine. An address that is no pair of host and port is a file, or None."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check(host: Any) -> None:
    if not is_here(host):
        _asked.append(str(host))
        raise OSError(errno.ENETUNREACH, f"a test asked for {host}")


def _connected(self: socket.socket, address: Any) -> None:
    _check(address[0] if isinstance(address, tuple) else None)
    _connect(self, address)


def _connected_ex(self: socket.socket, address: Any) -> int:
    _check(address[0] if isinstance(address, tuple) else None)
    return _connect_ex(self, address)


def _looked_up(host: Any, *arguments: Any, **named: Any) -> Any:
    _check(host)
    return _look_up(host, *arguments, **named)


def close_the_door(patch: pytest.MonkeyPatch) -> None:
    """Refuse what leads beyond this machine, in this process."""
    patch.setattr(socket.socket, "connect", _connected)
    patch.setattr(socket.socket, "connect_ex", _connected_ex)
    patch.setattr(socket, "getaddrinfo", _looked_up)


def asked() -> list[str]:
    """The hosts that were asked for since the last call: a library may have taken the refusal for a bad network."""
    found, _asked[:] = _asked[:], []
    return found
