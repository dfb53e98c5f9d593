"""Print the lines that clients push, and answer how many they were."""

import argparse
import asyncio
from typing import Never

import penstock
from examples.tutorial.client_stream_pb2 import ClientStreamReq, ClientStreamResp
from examples.tutorial.client_stream_penstock import ClientStreamServerBase


class ClientPush(ClientStreamServerBase):
    """Prints each line, and at the end of each call how it ended and how many calls are still open."""

    open_calls = 0

    async def client_stream(self, stream: penstock.ServerStream[ClientStreamReq, Never]) -> ClientStreamResp:
        received = 0
        self.open_calls += 1
        try:
            async for request in stream:
                print(f'data:"{request.data}"', flush=True)
                received += 1
            print("EOF")  # the client has sent its last line and waits for the answer
        except penstock.RpcError as error:
            print(f"rpc error: code = {error.code.name} desc = {error.message}")  # the client has left
            raise
        finally:
            self.open_calls -= 1
            print(f"open calls: {self.open_calls}", flush=True)
        return ClientStreamResp(data=f"received {received}")


def main() -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:50054")
    options = parser.parse_args()
    asyncio.run(penstock.Server([ClientPush()]).serve(options.address))


if __name__ == "__main__":
    main()
