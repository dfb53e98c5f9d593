"""The sockets a server listens on."""

import asyncio
import errno
import gc
import socket
from pathlib import Path

import pytest

from penstock import _address
from penstock._listening import Listeners
from penstock.testing import cancel_everywhere


async def listen(listeners: Listeners, text: str) -> list[str]:
    """Listen on an address, for nobody in particular."""
    return await listeners.add(_address.parse(text), asyncio.Protocol)


async def test_they_say_where_they_listen(tmp_path: Path) -> None:
    listeners = Listeners()
    assert not listeners
    (address,) = await listen(listeners, "127.0.0.1:0")
    host, _, port = address.rpartition(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    assert await listen(listeners, f"unix:{tmp_path / 'a'}") == [f"unix:{tmp_path / 'a'}"]
    assert listeners
    listeners.close()
    assert not listeners


async def test_a_path_is_gone_once_they_are_closed_and_may_have_gone_before(tmp_path: Path) -> None:
    for gone_before in (False, True):
        listeners, path = Listeners(), tmp_path / "a"
        await listen(listeners, f"unix:{path}")
        assert path.is_socket()
        if gone_before:
            path.unlink()
        listeners.close()
        assert not path.exists()


@pytest.mark.loops
async def test_nothing_listens_once_they_are_closed_whose_start_was_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "a"

    async def start() -> None:
        listeners = Listeners()
        try:
            await listen(listeners, "127.0.0.1:0")
            await listen(listeners, f"unix:{path}")
        finally:
            listeners.close()

    def check(attempt: object) -> None:
        del attempt
        gc.collect()  # a socket that nobody closed warns
        assert not path.exists()

    await cancel_everywhere(start, check=check)


async def test_a_path_that_nobody_listens_on_any_more_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listeners = Listeners()
    await listen(listeners, f"unix:{path}")
    listeners.close()


@pytest.mark.parametrize("backlog_is_full", [False, True])
async def test_a_path_that_somebody_listens_on_is_left_alone(tmp_path: Path, backlog_is_full: bool) -> None:
    path = tmp_path / "a"
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as client:
        living.bind(str(path))
        living.listen(0)
        if backlog_is_full:
            client.connect(str(path))
        with pytest.raises(OSError, match=f"cannot listen on unix:{path}: another server listens on it") as caught:
            await listen(Listeners(), f"unix:{path}")
        assert caught.value.errno == errno.EADDRINUSE
        assert path.is_socket()


async def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = _address.of_socket(other)
        with pytest.raises(OSError, match=rf"cannot listen on {address}: .*address already in use") as caught:
            await listen(Listeners(), address)
    assert caught.value.errno == errno.EADDRINUSE


async def test_a_path_without_its_folder_is_named(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none/a.sock"
    with pytest.raises(FileNotFoundError) as caught:
        await listen(Listeners(), address)
    assert str(caught.value) == f"[Errno 2] cannot listen on {address}: No such file or directory"


async def test_a_host_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", unknown)
    with pytest.raises(socket.gaierror) as caught:
        await listen(Listeners(), "unknown.invalid:0")
    assert caught.value.errno == socket.EAI_NONAME
    assert str(caught.value).endswith("cannot listen on unknown.invalid:0: Name or service not known")


@pytest.mark.parametrize("address", ["unix:/" + "a" * 200, "a" * 64 + ".invalid:0"])
async def test_what_nobody_could_listen_on_is_named_too(address: str) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {address}: .*too long") as caught:
        await listen(Listeners(), address)
    assert caught.value.errno == errno.EINVAL
