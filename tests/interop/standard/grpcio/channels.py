"""Channels of grpcio to a server."""

from collections.abc import Sequence
from typing import Any

import grpc

from tests.interop.standard.target import SERVER_NAME, Target


def connect(target: Target, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
    """Make a channel to the server."""
    # Without the pool of its own, it would go over the connection that another channel has to this address.
    options = [("grpc.use_local_subchannel_pool", 1), *options]
    if target.certificates is None:
        return grpc.aio.insecure_channel(target.address, options=options)
    credentials = grpc.ssl_channel_credentials(target.certificates.ca.read_bytes())
    options += [("grpc.ssl_target_name_override", SERVER_NAME)]
    return grpc.aio.secure_channel(target.address, credentials, options=options)
