"""What a program implements: services, by hand or from generated bases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock.errors import RpcError
from penstock.status import StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.method import Method

__all__ = ["Service", "unimplemented"]


class Service:
    """A set of methods, each served by the Python method of the name it has in `METHODS`.

    Handlers, by the kind of their method:

    - one → one: `async def get(self, request, call) -> Reply`
    - one → many: `async def feed(self, request, stream) -> None`, or an async generator that yields replies
    - many → one: `async def put(self, stream) -> Reply`
    - many → many: `async def chat(self, stream) -> None`, or an async generator that yields replies

    What blocks is better a sync handler: `def get(self, request, call) -> Reply`, or for one → many a generator,
    `def feed(self, request, stream)`, that yields replies. Each of its steps runs in a thread of the server
    (`Limits.max_sync_threads`), the next one when there is room for its reply; between two steps it has none. All steps
    of a call have the same context. It sees the same object as other handlers, and what of it would touch the event
    loop (sending, receiving, initial metadata) raises `UsageError`. A step cannot be cancelled: when the call is over,
    `status` is no longer `None`, and a generator is closed behind the step that runs.

    A generator is closed in its own task and context, however its call ends. `raise RpcError(...)` ends the call with
    that status; any other exception is logged and ends it with UNKNOWN and a fixed text.
    """

    METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {}


def unimplemented(method: Method[Any, Any]) -> RpcError:
    """The error of a method that nobody wrote: adding one to a .proto breaks no server."""
    return RpcError(StatusCode.UNIMPLEMENTED, f"{method.path} is not implemented")
