"""The names of compressions are those on the wire."""

from penstock import Compression


def test_values_are_what_grpc_encoding_says() -> None:
    assert {one.value for one in Compression} == {"identity", "gzip", "deflate"}
