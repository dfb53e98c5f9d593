"""What a program implements."""

from penstock import Kind, Method, Service, StatusCode, unimplemented
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase


def test_a_service_of_its_own_has_no_methods() -> None:
    assert dict(Service.METHODS) == {}


def test_a_generated_base_names_its_methods_and_their_kinds() -> None:
    kinds = {name: (method.path, method.kind) for name, method in EchoBase.METHODS.items()}
    assert kinds == {
        "unary": ("/penstock.test.echo.Echo/Unary", Kind.UNARY),
        "server_stream": ("/penstock.test.echo.Echo/ServerStream", Kind.SERVER_STREAM),
        "client_stream": ("/penstock.test.echo.Echo/ClientStream", Kind.CLIENT_STREAM),
        "both_stream": ("/penstock.test.echo.Echo/BothStream", Kind.BOTH_STREAM),
    }


def test_a_method_nobody_wrote_is_unimplemented_by_its_path() -> None:
    error = unimplemented(Method("/a.B/C", Kind.UNARY, Note, Note))
    assert (error.code, error.message) == (StatusCode.UNIMPLEMENTED, "/a.B/C is not implemented")
