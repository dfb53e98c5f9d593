"""One call of our client, made as a request of the suite says."""

import asyncio
import contextlib
from typing import Any

from connectrpc.conformance.v1 import config_pb2
from connectrpc.conformance.v1.client_compat_pb2 import ClientCompatRequest, ClientResponseResult
from connectrpc.conformance.v1.service_penstock import ConformanceServiceBase, ConformanceServiceClient

import penstock
from tests.conformance import conversion

COMPRESSIONS = {
    config_pb2.COMPRESSION_IDENTITY: penstock.Compression.IDENTITY,
    config_pb2.COMPRESSION_GZIP: penstock.Compression.GZIP,
}
NAMES = {method.path: name for name, method in ConformanceServiceBase.METHODS.items()}


class Invocation:
    """What client_compat.proto asks for, and what became of it."""

    def __init__(self, request: ClientCompatRequest) -> None:
        self._request = request
        self._method = ConformanceServiceBase.METHODS[NAMES[f"/{request.service}/{request.method}"]]
        self._result = ClientResponseResult()

    async def run(self, channel: penstock.Channel) -> ClientResponseResult:
        """Make the call.

        Raises:
            Exception: The call could not be made as the request says.
        """
        make = getattr(ConformanceServiceClient(channel), NAMES[self._method.path])
        timeout = self._request.timeout_ms / 1000 if self._request.HasField("timeout_ms") else None
        metadata = conversion.to_metadata(self._request.request_headers)
        only = self._messages() if self._method.kind.one_request else ()
        options = penstock.CallOptions(compression=COMPRESSIONS[self._request.compression])
        call = make(*only, timeout=timeout, metadata=metadata, options=options)
        try:
            await self._steps(call)
        except penstock.RpcError as error:
            self._result.error.CopyFrom(conversion.to_error(error))
        await self._read_metadata(call)
        return self._result

    async def _steps(self, call: Any) -> None:
        if self._method.kind is penstock.Kind.UNARY:
            await self._unary(call)
        elif self._method.kind is penstock.Kind.SERVER_STREAM:
            await self._server_stream(call)
        elif self._method.kind is penstock.Kind.CLIENT_STREAM:
            await self._client_stream(call)
        else:
            await self._both_stream(call)

    async def _unary(self, call: penstock.UnaryCall[Any]) -> None:
        reply = asyncio.ensure_future(call)
        await self._cancel_after_sending(call)
        self._keep(await reply)

    async def _server_stream(self, call: penstock.ServerStreamCall[Any]) -> None:
        async with call:
            await self._cancel_after_sending(call)
            await self._receive_all(call)

    async def _client_stream(self, call: penstock.ClientStreamCall[Any, Any]) -> None:
        async with call:
            for left, message in self._countdown():
                await self._send(call, message, left)
            await self._end_sending(call)
            self._keep(await call.finish())

    async def _both_stream(self, call: penstock.BothStreamCall[Any, Any]) -> None:
        full_duplex = self._request.stream_type == config_pb2.STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM
        async with call:
            for left, message in self._countdown():
                await self._send(call, message, left)
                if full_duplex and not await self._receive(call):
                    return
            await self._end_sending(call)
            await self._receive_all(call)

    # Sending.

    def _messages(self) -> list[Any]:
        messages = []
        for packed in self._request.request_messages:
            message = self._method.request_type()
            if not packed.Unpack(message):
                msg = f"{packed.type_url} is no request of {self._method.path}"
                raise ValueError(msg)
            messages.append(message)
        return messages

    def _countdown(self) -> list[tuple[int, Any]]:
        """Each message, with the number of those that are unsent while it is."""
        messages = self._messages()
        return [(len(messages) - number, message) for number, message in enumerate(messages)]

    async def _send(self, call: penstock.Stream[Any, Any], message: Any, left: int) -> None:
        await asyncio.sleep(self._request.request_delay_ms / 1000)  # real time: the request says how much
        try:
            await call.send(message)
        except (penstock.RpcError, penstock.EndOfStream) as error:
            self._result.num_unsent_requests = self._result.num_unsent_requests or left
            if isinstance(error, penstock.RpcError):
                raise

    async def _end_sending(self, call: Any) -> None:
        if self._request.cancel.HasField("before_close_send"):
            call.cancel()
        await call.end_sending()
        await self._cancel_after_sending(call)

    async def _cancel_after_sending(self, call: penstock.Stream[Any, Any]) -> None:
        cancel = self._request.cancel
        if self._request.HasField("cancel") and cancel.WhichOneof("cancel_timing") in (None, "after_close_send_ms"):
            await asyncio.sleep(cancel.after_close_send_ms / 1000)  # real time: the request says how much
            call.cancel()

    # Receiving.

    async def _receive_all(self, call: penstock.Stream[Any, Any]) -> None:
        while await self._receive(call):
            pass

    async def _receive(self, call: penstock.Stream[Any, Any]) -> bool:
        """Receive one reply; false at the end."""
        try:
            self._keep(await call.receive())
        except penstock.EndOfStream:
            return False
        if self._request.cancel.after_num_responses == len(self._result.payloads):
            call.cancel()
        return True

    def _keep(self, reply: Any) -> None:
        self._result.payloads.append(reply.payload)

    async def _read_metadata(self, call: Any) -> None:
        with contextlib.suppress(penstock.RpcError):  # the response had no head
            self._result.response_headers.extend(conversion.to_headers(await call.initial_metadata()))
        self._result.response_trailers.extend(conversion.to_headers(call.trailing_metadata or penstock.Metadata()))
