"""The standard cases, and which peer lacks which of them, and why. Source: gRPC interop-test-descriptions.md."""

SOAKS = ("concurrent_large_unary", "rpc_soak", "channel_soak", "long_lived_channel")
"""Cases of many calls, so many as who runs them wants."""

COMPRESSED = ("client_compressed_unary", "client_compressed_streaming")
"""The server has to see what was compressed."""

UNSEEN = ("client_compressed_unary_noprobe", "client_compressed_streaming_noprobe")
"""The same without a look: it has to understand what was compressed. Source: grpc-java's interop client."""

REPLIES_COMPRESSED = ("server_compressed_unary", "server_compressed_streaming")

ALL_COMPRESSED = (*COMPRESSED, *UNSEEN, *REPLIES_COMPRESSED)

CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    *ALL_COMPRESSED,
    *SOAKS,
)

NOBODY_RUNS = {
    "cacheable_unary": "needs a caching proxy between the two",
    "compute_engine_creds": "needs a cloud account",
    "jwt_token_creds": "needs a cloud account",
    "oauth2_auth_token": "needs a cloud account",
    "per_rpc_creds": "needs a cloud account",
    "google_default_credentials": "needs a cloud account",
    "compute_engine_channel_credentials": "needs a cloud account",
}

CLIENTS_LACK = {
    "go": {
        **dict.fromkeys(ALL_COMPRESSED, "grpc-go's interop client has no compressed cases"),
        "concurrent_large_unary": "grpc-go's interop client does not have this case",
    },
}
"""Cases by the client that has no program for them."""

SERVERS_LACK = {
    "go": dict.fromkeys(ALL_COMPRESSED, "grpc-go's interop server knows no compression"),
    "js": {
        **dict.fromkeys(COMPRESSED, "grpc-js tells a handler nothing of how a request was compressed"),
        **dict.fromkeys(REPLIES_COMPRESSED, "grpc-js compresses no response"),
    },
    "proxy": dict.fromkeys(ALL_COMPRESSED, "the server behind it is grpc-go's, which knows no compression"),
}
"""Cases by the server that cannot do what they ask for."""


def why_skipped(case: str, client: str, server: str) -> str | None:
    """Say why a pair cannot run a case; `None` if it can."""
    return CLIENTS_LACK.get(client, {}).get(case) or SERVERS_LACK.get(server, {}).get(case)
