"""The server under test. connectconformance starts one for each way to be spoken to."""

import asyncio
import signal

from connectrpc.conformance.v1 import server_compat_pb2

import penstock
from tests.conformance import conversion, credentials, framing
from tests.conformance.service import Conformance


async def main() -> None:
    """Serve as the one message on stdin says, until SIGTERM."""
    told = await framing.receive(await framing.stdin())
    if told is None:
        return
    request = server_compat_pb2.ServerCompatRequest.FromString(told)
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    limits = conversion.to_limits(request.message_receive_limit)
    server = penstock.Server([Conformance()], limits=limits, compression=penstock.Compression.GZIP)
    async with server.listening("127.0.0.1:0", tls=credentials.of_server(request)) as address:
        host, _, port = address.rpartition(":")
        certificate = request.server_creds.cert
        framing.send(server_compat_pb2.ServerCompatResponse(host=host, port=int(port), pem_cert=certificate))
        await terminated.wait()


if __name__ == "__main__":
    asyncio.run(main())
