"""The service of the suite: each call says in its first request how it is to be answered."""

import asyncio
from collections.abc import Sequence
from typing import Any, Never

from connectrpc.conformance.v1 import service_pb2
from connectrpc.conformance.v1.service_penstock import ConformanceServiceBase
from google.protobuf import any_pb2
from google.protobuf.message import Message

import penstock
from tests.conformance import conversion


class Conformance(ConformanceServiceBase):
    """What it does is written in service.proto."""

    async def unary(self, request: service_pb2.UnaryRequest, call: penstock.ServerCall) -> service_pb2.UnaryResponse:
        return service_pb2.UnaryResponse(payload=await _only_payload(call, request.response_definition, [request]))

    async def client_stream(
        self, stream: penstock.ServerStream[service_pb2.ClientStreamRequest, Never]
    ) -> service_pb2.ClientStreamResponse:
        requests = [request async for request in stream]
        first = requests[0] if requests else service_pb2.ClientStreamRequest()
        return service_pb2.ClientStreamResponse(
            payload=await _only_payload(stream, first.response_definition, requests)
        )

    async def server_stream(
        self, request: service_pb2.ServerStreamRequest, stream: penstock.ServerStream[Never, Any]
    ) -> None:
        answer = Answer(stream, service_pb2.ServerStreamResponse)
        await answer.begin(request.response_definition)
        await answer.finish([request])

    async def bidi_stream(self, stream: penstock.ServerStream[service_pb2.BidiStreamRequest, Any]) -> None:
        answer = Answer(stream, service_pb2.BidiStreamResponse)
        full_duplex, requests = False, []
        async for request in stream:
            if not answer.has_begun:
                full_duplex = request.full_duplex
                await answer.begin(request.response_definition)
            requests.append(request)
            if full_duplex:
                if not answer.left:
                    break
                await answer.reply(requests)
                requests = []
        await answer.finish(requests)


class Answer:
    """The replies of a stream, as its first request defined them."""

    def __init__(self, stream: penstock.ServerStream[Any, Any], reply_type: type[Any]) -> None:
        self.has_begun = False
        self.left: list[bytes] = []
        """The data of replies that were not sent yet."""
        self._stream = stream
        self._reply_type = reply_type
        self._definition = service_pb2.StreamResponseDefinition()
        self._has_replied = False

    async def begin(self, definition: service_pb2.StreamResponseDefinition) -> None:
        """Send the response's head."""
        self.has_begun = True
        self.left = list(definition.response_data)
        self._definition = definition
        await _begin(self._stream, definition)

    async def reply(self, requests: Sequence[Message]) -> None:
        """Send the next reply; it names these requests, and the first one more of the call than that."""
        payload = service_pb2.ConformancePayload(data=self.left.pop(0))
        if not self._has_replied:
            payload.request_info.CopyFrom(_info(self._stream, requests))
        elif requests:
            payload.request_info.requests.extend(map(_packed, requests))
        self._has_replied = True
        await asyncio.sleep(self._definition.response_delay_ms / 1000)  # real time: the client says how much
        await self._stream.send(self._reply_type(payload=payload))

    async def finish(self, requests: Sequence[Message]) -> None:
        """Send the replies that are left, and raise the error if there is to be one."""
        while self.left:
            await self.reply(() if self._has_replied else requests)
        if self._definition.HasField("error"):
            more = () if self._has_replied else (_info(self._stream, requests),)
            raise conversion.from_error(self._definition.error, *more)


async def _only_payload(
    call: penstock.ServerStream[Any, Any], definition: service_pb2.UnaryResponseDefinition, requests: Sequence[Message]
) -> service_pb2.ConformancePayload:
    await _begin(call, definition)
    await asyncio.sleep(definition.response_delay_ms / 1000)  # real time: the client says how much
    info = _info(call, requests)
    if definition.HasField("error"):
        raise conversion.from_error(definition.error, info)
    return service_pb2.ConformancePayload(data=definition.response_data, request_info=info)


async def _begin(call: penstock.ServerStream[Any, Any], definition: Any) -> None:
    await call.send_initial_metadata(conversion.to_metadata(definition.response_headers))
    for key, value in conversion.to_metadata(definition.response_trailers).pairs():
        call.trailing_metadata.add(key, value)


def _info(
    call: penstock.ServerStream[Any, Any], requests: Sequence[Message]
) -> service_pb2.ConformancePayload.RequestInfo:
    remaining = call.time_remaining
    return service_pb2.ConformancePayload.RequestInfo(
        request_headers=conversion.to_headers(call.metadata),
        timeout_ms=None if remaining is None else int(remaining * 1000),
        requests=map(_packed, requests),
    )


def _packed(request: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(request)
    return packed
