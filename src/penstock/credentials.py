"""Per-call credentials of a client: metadata that is fetched, or made, anew for each call.

    async def bearer(call: ClientCall[Any, Any]) -> MetadataLike:
        return {"authorization": f"Bearer {await tokens.current()}"}

    Channel(address, credentials=bearer)            # for every call
    client.get(request, options=CallOptions(credentials=other))   # for one; after the channel's, if both are given

They run in the task that begins the call, inside its interceptors, which do not see what they add; before a connection
is waited for. The call's deadline and its cancellation cut them short. A connection that others can read carries
none: without TLS they are refused with `UsageError`, unless the address is on this machine.

An `RpcError` that they raise ends the call with its code, but codes that only the called method may give become
INTERNAL. Any other exception ends it with UNAUTHENTICATED. The cause is chained.

Source: gRFC A54, "Restrict Control Plane Status Codes".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock._interception import awaited
from penstock.errors import RpcError
from penstock.metadata import Metadata, MetadataLike
from penstock.status import StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock._client_call import ClientCall
    from penstock.metadata import MetadataValue

__all__ = ["Credentials"]

Credentials: TypeAlias = Callable[["ClientCall[Any, Any]"], Awaitable[MetadataLike]]
"""What `Channel` and `CallOptions` take: an async function of the call that gives the metadata to add."""

OF_THE_METHOD = frozenset(
    {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.ALREADY_EXISTS,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.ABORTED,
        StatusCode.OUT_OF_RANGE,
        StatusCode.DATA_LOSS,
    }
)
"""Codes a caller may act on as the method's answer. Source: gRFC A54."""


async def fetch(sources: Iterable[Credentials], call: ClientCall[Any, Any]) -> list[tuple[str, MetadataValue]]:
    """What they give for this call, in order.

    Raises:
        RpcError: One failed; with the code that the call is to end with.
    """
    pairs: list[tuple[str, MetadataValue]] = []
    for source in sources:
        try:
            pairs += Metadata(await awaited(source, call, "credentials")).pairs()
        except RpcError as error:
            if error.code not in OF_THE_METHOD:
                raise
            text = f"the credentials failed with {error.code.name}: {error.message}"
            raise RpcError(StatusCode.INTERNAL, text) from error
        except Exception as error:
            raise RpcError(StatusCode.UNAUTHENTICATED, f"the credentials failed: {error!r}") from error
    return pairs
