"""grpcio's asyncio client, and which function is which case."""

from collections.abc import Awaitable, Callable

import grpc

from tests.interop.standard.cases import ALL_COMPRESSED, SOAKS
from tests.interop.standard.grpcio import compression_cases, ending_cases, message_cases, soak_cases
from tests.interop.standard.grpcio.channels import connect
from tests.interop.standard.grpcio.flags import AS_IT_CAME
from tests.interop.standard.soak import Soak
from tests.interop.standard.target import Target

Case = Callable[[grpc.aio.Channel], Awaitable[None]]

CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        message_cases.empty_unary,
        message_cases.large_unary,
        message_cases.client_streaming,
        message_cases.server_streaming,
        message_cases.ping_pong,
        message_cases.empty_stream,
        message_cases.custom_metadata,
        ending_cases.status_code_and_message,
        ending_cases.special_status_message,
        ending_cases.unimplemented_method,
        ending_cases.unimplemented_service,
        ending_cases.cancel_after_begin,
        ending_cases.cancel_after_first_response,
        ending_cases.timeout_on_sleeping_server,
        compression_cases.client_compressed_unary,
        compression_cases.client_compressed_unary_noprobe,
        compression_cases.server_compressed_unary,
        compression_cases.client_compressed_streaming,
        compression_cases.client_compressed_streaming_noprobe,
        compression_cases.server_compressed_streaming,
    )
}


async def run(case: str, target: Target, soak: Soak) -> None:
    """Run a case; it raises what is wrong."""
    if case in SOAKS:
        await soak_cases.CASES[case](target, soak)
        return
    async with connect(target, AS_IT_CAME if case in ALL_COMPRESSED else ()) as channel:
        await CASES[case](channel)
