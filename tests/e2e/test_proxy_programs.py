"""Do the programs of examples/proxy do what their page says?"""

import itertools
import signal
from typing import Any, Never

import pytest

import penstock
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase, ServerStreamServerClient
from tests.certificates import Certificates
from tests.e2e.child import Child, running_module
from tests.e2e.support import Echo, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient


class Lines(ServerStreamServerBase):
    """Sends a line in lower case."""

    async def server_stream(
        self, request: ServerStreamReq, stream: penstock.ServerStream[Never, ServerStreamResp]
    ) -> None:
        if not request.data:
            raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "nothing to say")
        await stream.send(ServerStreamResp(data=f"to {stream.metadata['who']!s}: {request.data}"))


async def address_of(program: Child) -> str:
    line = await program.line_with("listening on")
    return line.removeprefix("listening on ")


async def test_the_proxy_forwards_until_it_is_told_to_stop() -> None:
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0") as behind:
        arguments = ("--listen", "127.0.0.1:0", "--to", behind, "--max-message-bytes", "1000")
        async with (
            running_module("examples.proxy", *arguments) as program,
            penstock.Channel(await address_of(program)) as channel,
        ):
            client = EchoClient(channel)
            assert (await within_bound(client.unary(Note(text="through")))).text == "through"
            assert await refused(client.unary(Note(payload=bytes(1000)))) == penstock.StatusCode.RESOURCE_EXHAUSTED
            program.signal(signal.SIGTERM)
            assert await program.exit_code() == 0


async def test_the_proxy_speaks_tls_on_both_sides(certificates: Certificates) -> None:
    server = penstock.Server([Echo()])
    pem = str(certificates.server)
    async with server.listening("127.0.0.1:0", tls=penstock.tls.server_context(pem, pem)) as behind:
        arguments = ("--listen", "127.0.0.1:0", "--to", behind, "--certificate", pem, "--key", pem)
        async with (
            running_module("examples.proxy", *arguments, "--ca", str(certificates.ca)) as program,
            penstock.Channel(await address_of(program), tls=certificates.client_context()) as channel,
        ):
            assert (await within_bound(EchoClient(channel).unary(Note(text="through")))).text == "through"


async def test_the_typed_proxy_changes_its_method_and_forwards_the_others() -> None:
    server = penstock.Server([Echo(), Lines()])
    async with server.listening("127.0.0.1:0") as behind:
        async with (
            running_module("examples.proxy.typed", "--listen", "127.0.0.1:0", "--to", behind) as program,
            penstock.Channel(await address_of(program)) as channel,
        ):
            assert (await within_bound(EchoClient(channel).unary(Note(text="as it is")))).text == "as it is"
            lines = ServerStreamServerClient(channel)
            async with lines.server_stream(ServerStreamReq(data="hello"), metadata={"who": "me"}) as replies:
                assert [reply.data async for reply in replies] == ["TO ME: HELLO"]
            async with lines.server_stream(ServerStreamReq()) as replies:
                assert await refused(replies.receive()) == penstock.StatusCode.NOT_FOUND


@pytest.mark.parametrize("module", ["examples.proxy", "examples.proxy.typed"])
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"--to": "192.0.2.1:50053"}, "use --ca (for --to) or --certificate (for --listen), or --plaintext if"),
        ({"--listen": "0.0.0.0:0"}, "0.0.0.0:0 can be reached from other machines"),
        ({"--listen": "localhost"}, "'localhost' is no address: the port is missing"),
        ({"--listen": "unix:/none/a.sock"}, "cannot listen on unix:/none/a.sock: No such file or directory"),
        ({"--certificate": "none.pem"}, "No such file or directory: 'none.pem'"),
        ({"--key": "none.pem"}, "--key without --certificate: pass the certificate too"),
    ],
)
async def test_what_cannot_be_used_ends_a_proxy_as_a_wrong_option_does(
    module: str, wrong: dict[str, str], text: str
) -> None:
    options = {"--listen": "127.0.0.1:0", "--to": "127.0.0.1:1", **wrong}
    async with running_module(module, *itertools.chain.from_iterable(options.items())) as program:
        assert await program.exit_code() == 2
        assert program.lines[0].startswith(f"usage: python -m {module} ")
        assert program.lines[-1].startswith(f"python -m {module}: error: ")
        assert text in program.lines[-1]
        assert not [line for line in program.lines if "Traceback" in line]


async def refused(waiting: Any) -> penstock.StatusCode | None:
    """Give the code a call fails with."""
    try:
        await within_bound(waiting)
    except penstock.RpcError as error:
        return error.code
    return None
