"""Server-sent events: Starlette's streaming response over uvicorn, with uvloop and httptools."""

import asyncio
import socket
from collections.abc import AsyncIterator

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.tokens.load import text_form
from benchmarks.tokens.pacing import Queues, pace
from benchmarks.work import announce, until_told

BACKLOG = 4096
"""As many connections as there are streams may come at once."""


async def main() -> None:
    """Serve until told to stop."""
    queues = Queues(pace())
    working = asyncio.create_task(queues.run())

    async def events() -> AsyncIterator[str]:
        with queues.queue() as queue:
            while True:
                await queue.get()
                yield f"data: {text_form()}\n\n"

    async def generate(request: Request) -> StreamingResponse:
        del request
        return StreamingResponse(events(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/generate", generate)])
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", log_level="error", access_log=False, lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    serving = asyncio.create_task(server.serve([listener]))
    announce(f"127.0.0.1:{listener.getsockname()[1]}")
    await until_told()
    working.cancel()
    server.should_exit = server.force_exit = True
    await serving


if __name__ == "__main__":
    uvloop.run(main())
