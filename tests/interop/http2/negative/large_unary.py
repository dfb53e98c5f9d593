"""The call of every negative case: 271,828 zero bytes there, 314,159 back; all as packed bytes.

Source: grpc/grpc, src/proto/grpc/testing/messages.proto: SimpleRequest, SimpleResponse, Payload.
"""

from penstock import RAW, Kind, Method


def _varint(number: int) -> bytes:
    """Source: Protocol Buffers, "Encoding"."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + _varint(number >> 7)


def _packed(field: int, content: bytes) -> bytes:
    """A field that has a length."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


METHOD = Method("/grpc.testing.TestService/UnaryCall", Kind.UNARY, bytes, bytes, RAW)
# response_size = 2, payload = 3 with body = 2; payload = 1 with body = 2.
REQUEST = _varint(2 << 3) + _varint(314_159) + _packed(3, _packed(2, bytes(271_828)))
RESPONSE = _packed(1, _packed(2, bytes(314_159)))


def framed(message: bytes) -> bytes:
    """Give a message with its prefix. Source: gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message"."""
    return b"\0" + len(message).to_bytes(4, "big") + message
