"""A server: where it listens, and how long."""

import asyncio
import logging
import os
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest

from penstock import (
    OpenCall,
    Server,
    ServerStream,
    StopReport,
    UsageError,
)
from tests.certificates import Certificates
from tests.unit.echo import Echo
from tests.unit.memory import both_ends, settle

PATH = "/test.Service/Method"
OPEN = OpenCall(PATH, "memory:1")


async def nothing(stream: ServerStream[bytes, bytes]) -> None:
    """A handler."""


def serving() -> Server:
    return Server([], fallback=nothing)


async def until_listening(one: Server) -> None:
    """Wait until it can be stopped by a signal too."""
    while not one.addresses:  # noqa: ASYNC110 - nobody sets an event
        await asyncio.sleep(0)
    await settle()


# What it serves.


def test_a_server_can_be_made_without_a_loop() -> None:
    assert Server([Echo()]).addresses == ()


def test_a_setting_of_another_kind_is_a_mistake_at_once() -> None:
    compression: Any = "gzip"
    with pytest.raises(UsageError, match=r"^compression is penstock.Compression.GZIP or .*, not 'gzip'$"):
        Server([], compression=compression)
    limits: Any = {}
    with pytest.raises(UsageError, match=r"^limits is penstock.Limits\(...\), not {}$"):
        Server([], limits=limits)


def test_a_service_of_the_wrong_form_is_a_mistake_at_once() -> None:
    with pytest.raises(UsageError, match="no service with METHODS"):
        Server([Echo])  # type: ignore[list-item]  # what mypy refuses


# Where it listens.


async def test_listening_gives_the_address_with_the_port_the_system_chose() -> None:
    one = serving()
    async with one.listening("127.0.0.1:0") as address:
        host, _, port = address.rpartition(":")
        assert (host, one.addresses) == ("127.0.0.1", (address,))
        assert int(port) > 0
    assert one.addresses == ()


async def test_a_server_listens_on_several_addresses_and_gives_the_first(tmp_path: Path) -> None:
    one = serving()
    path = tmp_path / "a.sock"
    async with one.listening(f"unix:{path}", "127.0.0.1:0") as address:
        assert address == f"unix:{path}"
        assert len(one.addresses) == 2
        assert path.is_socket()
    assert not path.exists()


async def test_a_server_listens_once_at_a_time_and_again_afterwards() -> None:
    one = serving()
    async with one.listening("127.0.0.1:0"):
        with pytest.raises(UsageError, match="the server is listening already"):
            async with one.listening("127.0.0.1:0"):
                pass
        assert len(one.addresses) == 1
    async with one.listening("127.0.0.1:0"):
        assert not one._core.draining.is_set()


async def test_no_address_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="give at least one address"):
        async with serving().listening():
            pass


async def test_an_address_others_can_reach_has_to_be_asked_for() -> None:
    one = serving()
    with pytest.raises(UsageError, match=r"can be reached from other machines, .*write plaintext=True"):
        async with one.listening("127.0.0.1:0", "0.0.0.0:0"):
            pass
    assert one.addresses == ()
    async with one.listening("0.0.0.0:0", plaintext=True) as address:
        assert address.startswith("0.0.0.0:")


async def test_an_address_in_use_is_an_os_error_and_the_others_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    async with serving().listening("127.0.0.1:0") as taken:
        one = serving()
        with pytest.raises(OSError, match="address already in use"):
            async with one.listening(f"unix:{path}", taken):
                pass
        assert one.addresses == ()
        assert not path.exists()


# TLS.


async def test_a_context_that_is_unfit_is_a_mistake_before_anything_listens(certificates: Certificates) -> None:
    one = serving()
    for unfit in (certificates.client_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)):
        with pytest.raises(UsageError):
            async with one.listening("127.0.0.1:0", tls=unfit):
                pass
    with pytest.raises(UsageError, match="leave one out"):
        async with one.listening("127.0.0.1:0", tls=certificates.server_context(), plaintext=True):
            pass
    assert one.addresses == ()


async def test_tls_may_listen_where_others_can_reach_it(certificates: Certificates) -> None:
    async with serving().listening("0.0.0.0:0", tls=certificates.server_context()) as address:
        assert address.startswith("0.0.0.0:")


async def test_another_context_takes_the_place_of_the_one_in_use_if_it_is_fit(certificates: Certificates) -> None:
    one, first, second = serving(), certificates.server_context(), certificates.server_context()
    async with one.listening("127.0.0.1:0", tls=first):
        with pytest.raises(UsageError, match="a server needs a context for its side"):
            one.replace_tls(certificates.client_context())
        assert one._core.tls is first
        one.replace_tls(second)
        assert one._core.tls is second


async def test_plaintext_does_not_become_tls_nor_does_a_server_that_stands_still(certificates: Certificates) -> None:
    one = serving()
    async with one.listening("127.0.0.1:0"):
        with pytest.raises(UsageError, match="does not listen with TLS"):
            one.replace_tls(certificates.server_context())
    async with one.listening("127.0.0.1:0", tls=certificates.server_context()):
        pass
    with pytest.raises(UsageError, match="does not listen with TLS"):
        one.replace_tls(certificates.server_context())


# Serving until told otherwise.


async def test_serve_stops_at_a_signal_and_reports(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "penstock.server")
    one = serving()
    serve = asyncio.create_task(one.serve("127.0.0.1:0", grace=1))
    await until_listening(one)
    (address,) = one.addresses
    os.kill(os.getpid(), signal.SIGTERM)
    assert await serve == StopReport(finished=0, cancelled=(), stuck=())
    assert f"listening on {address}" in caplog.text
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_serve_leaves_signals_alone_when_told_and_stops_when_it_is_cancelled() -> None:
    one = serving()
    before = signal.getsignal(signal.SIGINT)
    serve = asyncio.create_task(one.serve("127.0.0.1:0", handle_signals=False))
    await until_listening(one)
    assert signal.getsignal(signal.SIGINT) is before
    serve.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serve
    assert one.addresses == ()


@pytest.mark.loops
async def test_a_signal_stops_every_server_of_the_loop() -> None:
    servers = [serving(), serving()]
    serves = [asyncio.create_task(one.serve("127.0.0.1:0")) for one in servers]
    for one in servers:
        await until_listening(one)
    # One that has ended does not take the signals away from the others.
    serves.append(asyncio.create_task(serving().serve("127.0.0.1:0")))
    await asyncio.sleep(0)
    serves[-1].cancel()
    await asyncio.wait([serves.pop()])
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.gather(*serves) == [StopReport(finished=0, cancelled=(), stuck=())] * 2
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_grace_that_is_none_is_refused_before_anything_begins_or_stops() -> None:
    one = serving()
    wrong: Any = "30"
    with pytest.raises(UsageError, match="grace is a number of seconds"):
        await one.serve("127.0.0.1:0", grace=wrong)
    async with one.listening("127.0.0.1:0"):
        with pytest.raises(UsageError, match="grace is a number of seconds"):
            await one.stop(wrong)
        assert not one._core.draining.is_set()


async def test_serve_in_a_thread_says_that_signals_come_elsewhere() -> None:
    def run() -> None:
        asyncio.run(serving().serve("127.0.0.1:0"))

    with pytest.raises(UsageError, match=r"handle_signals=False"):
        await asyncio.to_thread(run)


async def test_a_second_signal_cuts_the_grace_short() -> None:
    async with both_ends() as ends:
        one = ends.channel.server
        serve = asyncio.create_task(one.serve("127.0.0.1:0", grace=1000))
        await until_listening(one)
        os.kill(os.getpid(), signal.SIGINT)
        await one._core.draining.wait()
        os.kill(os.getpid(), signal.SIGINT)
        report = await serve
        assert report.cancelled == (OPEN,)


# Where it belongs.


async def test_what_belongs_to_another_thread_is_not_ended_from_here() -> None:
    def end() -> list[str]:
        said: list[str] = []
        for ending in (channel.server.stop, channel.close):
            with pytest.raises(UsageError) as caught:
                asyncio.run(ending())
            said.append(str(caught.value))
        return said

    async with both_ends() as ends:
        channel = ends.channel
        said = await asyncio.to_thread(end)
        assert ["run_coroutine_threadsafe(server.stop()" in said[0], "(channel.close()" in said[1]] == [True, True]
        await ends.client.send(b"still there")
        assert await ends.server.receive() == b"still there"


async def test_a_server_made_before_fork_is_refused_in_the_child() -> None:
    one = serving()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            one._check_startable(("127.0.0.1:0",))
        except UsageError as error:
            code = 0 if "made before fork()" in str(error) else 2
        finally:
            os._exit(code)
    _child, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
    assert os.waitstatus_to_exitcode(status) == 0
