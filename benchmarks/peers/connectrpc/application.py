"""What pyvoy serves: `app`."""

from collections.abc import AsyncIterator
from typing import Any

from connectrpc.compat import google_protobuf_binary_codec
from connectrpc.server import ConnectASGIApplication, Endpoint

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.peers.connectrpc.methods import BOTH_STREAM, CLIENT_STREAM, SERVER_STREAM, SERVICE, UNARY
from benchmarks.work import TEXT, check

__all__ = ["app"]


class Bench:
    """Handlers as its documentation shows them."""

    async def unary(self, request: Request, context: object) -> Reply:
        """Answer a call."""
        del context
        return Reply(text=request.text, blob=request.blob)

    async def server_stream(self, request: Request, context: object) -> AsyncIterator[Reply]:
        """Answer often."""
        del context
        if request.blob_bytes:
            blob = bytes(request.blob_bytes)
            for _ in range(request.count):
                yield Reply(blob=blob)
        else:
            text = request.text
            for _ in range(request.count):
                yield Reply(text=text)

    async def client_stream(self, requests: AsyncIterator[Request], context: object) -> Reply:
        """Count."""
        del context
        count = 0
        async for request in requests:
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
            count += 1
        return Reply(count=count)

    async def both_stream(self, requests: AsyncIterator[Request], context: object) -> AsyncIterator[Reply]:
        """Answer each request."""
        del context
        async for request in requests:
            yield Reply(text=request.text, blob=request.blob)


class _Application(ConnectASGIApplication):  # type: ignore[misc]  # not installed beside what is checked
    path = f"/{SERVICE}"


def _endpoints(service: Bench) -> dict[str, Any]:
    return {
        f"/{SERVICE}/Unary": Endpoint.unary(UNARY, service.unary),
        f"/{SERVICE}/ServerStream": Endpoint.server_stream(SERVER_STREAM, service.server_stream),
        f"/{SERVICE}/ClientStream": Endpoint.client_stream(CLIENT_STREAM, service.client_stream),
        f"/{SERVICE}/BothStream": Endpoint.bidi_stream(BOTH_STREAM, service.both_stream),
    }


app = _Application(
    service=Bench(), endpoints=_endpoints, compressions=(), codecs=[google_protobuf_binary_codec()], read_max_bytes=None
)
