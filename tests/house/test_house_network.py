"""The tests' own door: what leads beyond this machine is refused and noticed, what stays on it is not."""

import socket

import only_loopback
import pytest


def test_what_leads_beyond_this_machine_is_refused_and_noticed():
    with socket.socket() as plain, pytest.raises(OSError, match=r"a test asked for 192\.0\.2\.1"):
        plain.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match=r"a test asked for hub\.example"):
        socket.create_connection(("hub.example", 443))
    assert only_loopback.asked() == ["192.0.2.1", "hub.example"]


def test_servers_on_this_machine_can_be_asked():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port)).close()
    assert only_loopback.asked() == []
