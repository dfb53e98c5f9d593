"""gRPC streams that never leak and run at wire speed."""

TYPE_CHECKING = False
"""As in `typing`, whose import would be a third of this one."""

if TYPE_CHECKING:
    from penstock import keepalive, tls
    from penstock._engine import VERSION as __version__
    from penstock.admission import Admission
    from penstock.channel import Channel, ChannelState
    from penstock.client_calls import BothStreamCall, ClientCall, ClientStreamCall, ServerStreamCall, UnaryCall
    from penstock.codec import PROTOBUF, RAW, Codec
    from penstock.compression import Compression
    from penstock.credentials import Credentials
    from penstock.ends import End
    from penstock.errors import (
        BusyError,
        Cancelled,
        ClosedError,
        DeadlineExceeded,
        EndOfStream,
        Error,
        Origin,
        ResourceExhausted,
        RpcError,
        Unavailable,
        UnfinishedCall,
        UsageError,
        WouldBlock,
    )
    from penstock.fanout import Encoded, broadcast, encode, send_each
    from penstock.interceptors import Call, Interceptor
    from penstock.keepalive import ClientKeepalive, ServerKeepalive
    from penstock.limits import CallOptions, Limits
    from penstock.live import LiveStream, Waiting
    from penstock.metadata import ForeignText, Metadata, MetadataLike, MetadataValue
    from penstock.method import Kind, Method
    from penstock.server import Server
    from penstock.server_calls import ServerCall, ServerStream
    from penstock.service import Service, unimplemented
    from penstock.statistics import ChannelStatistics, ConnectionStatistics, ServerStatistics
    from penstock.status import Status, StatusCode
    from penstock.stopping import OpenCall, StopReport
    from penstock.stream import Stream
    from penstock.tls import TlsPeer
else:
    # Not for type checkers: to them every name would be there.
    from penstock import _names

    __getattr__, __dir__ = _names.attribute, _names.names

__all__ = [
    "PROTOBUF",
    "RAW",
    "Admission",
    "BothStreamCall",
    "BusyError",
    "Call",
    "CallOptions",
    "Cancelled",
    "Channel",
    "ChannelState",
    "ChannelStatistics",
    "ClientCall",
    "ClientKeepalive",
    "ClientStreamCall",
    "ClosedError",
    "Codec",
    "Compression",
    "ConnectionStatistics",
    "Credentials",
    "DeadlineExceeded",
    "Encoded",
    "End",
    "EndOfStream",
    "Error",
    "ForeignText",
    "Interceptor",
    "Kind",
    "Limits",
    "LiveStream",
    "Metadata",
    "MetadataLike",
    "MetadataValue",
    "Method",
    "OpenCall",
    "Origin",
    "ResourceExhausted",
    "RpcError",
    "Server",
    "ServerCall",
    "ServerKeepalive",
    "ServerStatistics",
    "ServerStream",
    "ServerStreamCall",
    "Service",
    "Status",
    "StatusCode",
    "StopReport",
    "Stream",
    "TlsPeer",
    "UnaryCall",
    "Unavailable",
    "UnfinishedCall",
    "UsageError",
    "Waiting",
    "WouldBlock",
    "__version__",
    "broadcast",
    "encode",
    "keepalive",
    "send_each",
    "tls",
    "unimplemented",
]
