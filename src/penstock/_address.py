"""Addresses: `host:port`, `[ipv6]:port`, `unix:/path`."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass

from penstock.errors import UsageError

UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect or listen."""

    host: str
    port: int
    path: str = ""
    """Of a Unix socket; host and port are empty then."""

    @property
    def is_local(self) -> bool:
        """Only this machine can reach it: loopback, or a Unix socket."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def authority(self) -> str:
        """What a client says in `:authority`."""
        return "localhost" if self.path else str(self)

    def __str__(self) -> str:
        if self.path:
            return UNIX + self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        UsageError: It has another form; the text shows the forms there are.
    """
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path:
            raise _wrong(text)
        return Address("", 0, path)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise _wrong(text)
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise _wrong(text)
    return Address(host, int(port))


def check_protection(address: Address, *, tls: object, plaintext: bool) -> None:
    """Refuse plaintext that leaves the machine, unless it was asked for.

    Raises:
        UsageError: The address is not local, and nobody said `tls=` or `plaintext=True`; or somebody said both.
    """
    if tls and plaintext:
        msg = "tls= and plaintext=True are two things: leave one out"
        raise UsageError(msg)
    if not tls and not plaintext and not address.is_local:
        msg = (
            f"{address} is not on this machine, and plaintext can be read and changed on the way: "
            "pass tls=, or write plaintext=True if that is what you want"
        )
        raise UsageError(msg)


def host_of(authority: str) -> str:
    """The host in `host`, `host:port`, `[ipv6]` or `[ipv6]:port`: what TLS verifies."""
    host, _, port = authority.rpartition(":")
    bare = host if port.isdigit() and (":" not in host or host.endswith("]")) else authority
    # A name may end in the dot of the root, a certificate's never does.
    return bare.removeprefix("[").removesuffix("]").removesuffix(".")


def of_socket(sock: socket.socket) -> str:
    """The address a listening socket has, in the form `parse` reads."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return str(Address(name[0], name[1]))
    return UNIX + os.fsdecode(name)


def of_peer(name: object) -> str:
    """The other end of a connection, from `peername`; `unix:` for one without a name."""
    if isinstance(name, tuple):
        return str(Address(name[0], name[1]))
    return UNIX + (os.fsdecode(name) if isinstance(name, str | bytes) else "")


def _wrong(text: str) -> UsageError:
    return UsageError(f"{text!r} is no address: write 'host:port', '[::1]:port' or 'unix:/path'")
