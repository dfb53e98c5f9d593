"""The client under test: makes each call that connectconformance asks for, many at the same time."""

import asyncio

from connectrpc.conformance.v1.client_compat_pb2 import ClientCompatRequest, ClientCompatResponse

import penstock
from tests.conformance import conversion, credentials, framing
from tests.conformance.invocation import Invocation

CALLS_AT_ONCE = 16
CONNECT_SECONDS = 5.0


class Channels:
    """One channel for each way to reach a server: a call must leave its connection fit for the next one."""

    def __init__(self) -> None:
        self._channels: dict[tuple[object, ...], penstock.Channel] = {}

    async def get(self, request: ClientCompatRequest) -> penstock.Channel:
        """Give the channel for a call, connected."""
        certificates = (request.server_tls_cert, request.client_tls_creds.cert)
        key = (request.host, request.port, request.message_receive_limit, *certificates)
        if key not in self._channels:
            limits = conversion.to_limits(request.message_receive_limit)
            tls = credentials.of_client(request)
            self._channels[key] = penstock.Channel(f"{request.host}:{request.port}", tls=tls, limits=limits)
        await self._channels[key].ready(timeout=CONNECT_SECONDS)
        return self._channels[key]

    async def close(self) -> None:
        """Close them all."""
        for channel in self._channels.values():
            await channel.close()


class Client:
    """Takes requests and sends responses, in whatever order the calls end."""

    def __init__(self) -> None:
        self._channels = Channels()
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)

    async def run(self) -> None:
        """Serve stdin to its end, then wait for the calls that are open."""
        requests = await framing.stdin()
        try:
            async with asyncio.TaskGroup() as calls:
                while (told := await framing.receive(requests)) is not None:
                    await self._places.acquire()
                    calls.create_task(self._answer(ClientCompatRequest.FromString(told)))
        finally:
            await self._channels.close()

    async def _answer(self, request: ClientCompatRequest) -> None:
        response = ClientCompatResponse(test_name=request.test_name)
        try:
            channel = await self._channels.get(request)
            response.response.CopyFrom(await Invocation(request).run(channel))
        except Exception as error:  # noqa: BLE001 - the suite prints it beside the name of the case
            response.error.message = repr(error)
        finally:
            self._places.release()
        framing.send(response)


if __name__ == "__main__":
    asyncio.run(Client().run())
