"""Addresses: `host:port`, `[ipv6]:port`, `unix:/path`."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass

from penstock.errors import UsageError

UNIX = "unix:"

IPV4_MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address has in front where a socket takes both. Source: RFC 4291 section 2.5.5.2."""

LOOPBACK = bytes(15) + b"\x01"


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


def parse(text: object) -> Address:
    """Read an address.

    Raises:
        UsageError: It has another form; the text says what is wrong, and shows the forms there are.
    """
    if not isinstance(text, str):
        raise _wrong(text, "an address is text")
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path:
            raise _wrong(text, "the path is missing")
        return Address("", 0, path)
    host, _, port = text.rpartition(":")
    mistake = _mistake_in(text) or _mistake_in_port(port) or _mistake_in_host(host)
    if mistake:
        raise _wrong(text, mistake)
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def check_protection(address: Address, *, tls: object, plaintext: bool, listening: bool = False) -> None:
    """Refuse plaintext that leaves the machine, unless it was asked for.

    Raises:
        UsageError: The address is not local, and nobody said `tls=` or `plaintext=True`; or somebody said both.
    """
    if tls and plaintext:
        msg = "tls= and plaintext=True are two things: leave one out"
        raise UsageError(msg)
    if not tls and not plaintext and not address.is_local:
        where = "can be reached from other machines" if listening else "is not on this machine"
        msg = (
            f"{address} {where}, and plaintext can be read and changed on the way: "
            "pass tls=, or write plaintext=True if that is what you want"
        )
        raise UsageError(msg)


def host_of(authority: str) -> str:
    """The host in `host`, `host:port`, `[ipv6]` or `[ipv6]:port`: what TLS verifies."""
    host, _, port = authority.rpartition(":")
    bare = host if port.isdigit() and (":" not in host or host.endswith("]")) else authority
    # A name may end in the dot of the root, a certificate's never does.
    return bare.removeprefix("[").removesuffix("]").removesuffix(".")


def network_of(host: str) -> str:
    """What counts as one peer: an IPv4 address; of IPv6 the /64, because whoever has one address there has all of it.

    On the same link every machine is in one /64, so a link-local address stands for itself. Source: RFC 6177.
    """
    if ":" not in host:
        return host
    try:
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except OSError:
        return host
    if packed.startswith(IPV4_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    is_link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    if is_link_local or packed == LOOPBACK:
        return host
    return f"{socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8))}/64"


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


def _mistake_in(text: str) -> str:
    """What is wrong with the whole of `host:port`; empty if nothing is."""
    scheme, slashes, _ = text.partition("://")
    if slashes:
        return f"no {scheme}:// in front"
    if " " in text or not text.isprintable():
        return "no blanks in it"
    if _is_ipv6(text):
        return "an IPv6 address goes in brackets"
    return "the port is missing" if ":" not in text or text.endswith((":", "]")) else ""


def _mistake_in_port(port: str) -> str:
    is_number = port.isascii() and port.isdigit() and len(port) <= 5
    return "" if is_number and int(port) <= 65535 else "a port is 0 to 65535"


def _mistake_in_host(host: str) -> str:
    if not host:
        return "the host is missing"
    if host.startswith("[") and host.endswith("]"):
        return "" if _is_ipv6(host[1:-1]) else f"{host[1:-1]!r} is no IPv6 address"
    if _is_ipv6(host):
        return "an IPv6 address goes in brackets"
    return "a host has no colon" if ":" in host else ""


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _wrong(given: object, mistake: str) -> UsageError:
    return UsageError(f"{given!r} is no address: {mistake}; write 'host:port', '[::1]:port' or 'unix:/path'")
