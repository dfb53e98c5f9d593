"""The forms an address has."""

import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import UsageError, _address
from penstock._address import Address, network_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:50051", Address("localhost", 50051)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:443", Address("::1", 443)),
        ("[fe80::1%eth0]:443", Address("fe80::1%eth0", 443)),
        ("unix:/run/a.sock", Address("", 0, "/run/a.sock")),
        ("unix:///run/a.sock", Address("", 0, "/run/a.sock")),
        ("unix:a.sock", Address("", 0, "a.sock")),
    ],
)
def test_every_form_is_read(text: str, address: Address) -> None:
    assert _address.parse(text) == address


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ("", "the port is missing"),
        ("localhost", "the port is missing"),
        ("localhost:", "the port is missing"),
        ("[::1]", "the port is missing"),
        ("[::1]:", "the port is missing"),
        (":50051", "the host is missing"),
        ("localhost:http", "a port is 0 to 65535"),
        ("localhost:-1", "a port is 0 to 65535"),
        ("localhost:65536", "a port is 0 to 65535"),
        pytest.param("localhost:" + "9" * 5000, "a port is 0 to 65535", id="longer than Python reads"),
        ("http://localhost:80", "no http:// in front"),
        ("dns:///localhost:80", "no dns:// in front"),
        ("local host:80", "no blanks in it"),
        (" localhost:80", "no blanks in it"),
        ("localhost:80\n", "no blanks in it"),
        ("::1:443", "an IPv6 address goes in brackets"),
        ("fe80::1:2:3:4:5:6:50051", "an IPv6 address goes in brackets"),
        ("1:2:3:4:5:6:7:8:443", "an IPv6 address goes in brackets"),
        ("[localhost]:1", "'localhost' is no IPv6 address"),
        ("[127.0.0.1]:1", "'127.0.0.1' is no IPv6 address"),
        ("[]:1", "'' is no IPv6 address"),
        ("a:1:2", "a host has no colon"),
        ("unix:", "the path is missing"),
        (50053, "an address is text"),
        (None, "an address is text"),
        (b"localhost:1", "an address is text"),
        (("localhost", 1), "an address is text"),
    ],
)
def test_other_forms_are_refused_with_the_mistake_and_the_forms_there_are(given: object, mistake: str) -> None:
    with pytest.raises(UsageError) as caught:
        _address.parse(given)
    forms = "write 'host:port', '[::1]:port' or 'unix:/path'"
    assert str(caught.value) == f"{given!r} is no address: {mistake}; {forms}"


@pytest.mark.parametrize("digits", ["\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_a_port_has_ascii_digits(digits: str) -> None:
    with pytest.raises(UsageError):
        _address.parse(f"localhost:{digits}")


def test_a_port_is_at_most_65535() -> None:
    assert _address.parse("a:65534").port == 65534
    assert _address.parse("a:65535").port == 65535
    with pytest.raises(UsageError):
        _address.parse("a:65536")


hosts = st.one_of(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True), st.ip_addresses().map(str))


@given(hosts, st.integers(0, 65535))
def test_an_address_is_read_as_it_is_written(host: str, port: int) -> None:
    address = Address(host, port)
    assert _address.parse(str(address)) == address


@given(st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1).map("/".__add__))
def test_a_path_is_read_as_it_is_written(path: str) -> None:
    address = _address.parse(f"unix:{path}")
    assert _address.parse(str(address)) == address


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        address = _address.parse(text)
    except UsageError:
        return
    assert bool(address.path) != bool(address.host)


@given(st.ip_addresses(v=4))
def test_only_loopback_addresses_are_local(address: IPv4Address) -> None:
    assert Address(str(address), 1).is_local == (str(address).startswith("127."))


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("localhost:1", True),
        ("127.1.2.3:1", True),
        ("[::1]:1", True),
        ("unix:/a", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
        ("127.0.0.1.example:1", False),
    ],
)
def test_plaintext_stays_on_the_machine_unless_asked_for(text: str, local: bool) -> None:
    address = _address.parse(text)
    _address.check_protection(address, tls=None, plaintext=True)
    if local:
        _address.check_protection(address, tls=None, plaintext=False)
    else:
        with pytest.raises(UsageError, match="write plaintext=True"):
            _address.check_protection(address, tls=None, plaintext=False)


def test_plaintext_that_is_refused_says_whom_it_would_reach() -> None:
    address = _address.parse("0.0.0.0:50053")
    rest = ", and plaintext can be read and changed on the way: pass tls="
    with pytest.raises(UsageError, match=rf"^0\.0\.0\.0:50053 is not on this machine{rest}"):
        _address.check_protection(address, tls=None, plaintext=False)
    with pytest.raises(UsageError, match=rf"^0\.0\.0\.0:50053 can be reached from other machines{rest}"):
        _address.check_protection(address, tls=None, plaintext=False, listening=True)


def test_the_authority_of_a_unix_socket_is_localhost() -> None:
    assert _address.parse("unix:/a").authority == "localhost"
    assert _address.parse("[::1]:2").authority == "[::1]:2"


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listening_socket_has_an_address_that_can_be_read(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as listener:
        assert _address.parse(_address.of_socket(listener)) == Address(host, listener.getsockname()[1])


def test_a_listening_unix_socket_has_its_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a.sock"))
        assert _address.of_socket(listener) == f"unix:{tmp_path}/a.sock"


def test_an_abstract_unix_socket_has_its_name() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0penstock test address")
        assert _address.of_socket(listener) == "unix:\0penstock test address"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5"),
        (("::1", 5, 0, 0), "[::1]:5"),
        ("/run/client.sock", "unix:/run/client.sock"),
        ("", "unix:"),
        (None, "unix:"),
        (b"\0abstract", "unix:\0abstract"),
    ],
)
def test_a_peer_is_named_whatever_its_socket_says(name: object, text: str) -> None:
    assert _address.of_peer(name) == text


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert str(Address(str(IPv6Address(1)), 5)) == "[::1]:5"


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("example.test", "example.test"),
        ("example.test:443", "example.test"),
        ("example.test.:443", "example.test"),
        ("10.0.0.1:443", "10.0.0.1"),
        ("[::1]:443", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("", ""),
        (":443", ""),
    ],
)
def test_the_host_of_an_authority_is_what_tls_verifies(authority: str, host: str) -> None:
    assert _address.host_of(authority) == host


def test_tls_protects_every_address_and_is_not_asked_for_together_with_plaintext() -> None:
    address = _address.parse("example.test:443")
    _address.check_protection(address, tls=True, plaintext=False)
    with pytest.raises(UsageError, match="leave one out"):
        _address.check_protection(address, tls=True, plaintext=True)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("memory", "memory"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fd00::1", "fd00::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("febf::1", "febf::1"),
        ("fec0::1", "fec0::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_what_counts_as_one_peer(host: str, network: str) -> None:
    assert network_of(host) == network
