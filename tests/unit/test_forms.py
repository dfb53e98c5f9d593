"""The form of what a program passes, and what it is told of a wrong one."""

import functools
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Never

import pytest

from penstock import RAW, Channel, Kind, Method, Server, ServerStream, Service, UsageError
from penstock._forms import check_arguments, check_handler, name_of
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase
from tests.unit.echo import Echo


def told(make: Callable[[], object]) -> str:
    """Give the text of the mistake."""
    with pytest.raises(UsageError) as caught:
        make()
    return str(caught.value)


# One instead of several.


@pytest.mark.parametrize("services", [Echo(), Echo])
def test_one_service_is_told_to_be_put_into_a_list(services: Any) -> None:
    assert told(lambda: Server(services)) == "services is a list of objects: Server([Echo()])"


def test_what_is_no_list_of_services_is_named() -> None:
    services: Any = None
    assert told(lambda: Server(services)) == "services is a list of objects, not None"


def test_services_may_come_from_any_iterable() -> None:
    made = Server(service for service in [Echo()])
    assert made._core.route("/penstock.test.echo.Echo/Unary") is not None


@asynccontextmanager
async def around(call: object) -> AsyncIterator[None]:
    del call
    yield


@pytest.mark.parametrize(
    ("interceptors", "what"), [(around, "interceptors is a list of functions: interceptors=[around]"), (1, "not 1")]
)
def test_one_interceptor_is_told_to_be_put_into_a_list_on_both_sides(interceptors: Any, what: str) -> None:
    assert told(lambda: Server([], interceptors=interceptors)).endswith(what)
    assert told(lambda: Channel("localhost:1", interceptors=interceptors)).endswith(what)


# The name of a handler.


def test_a_handler_under_the_name_of_the_proto_is_told_its_own() -> None:
    class Foreign(EchoBase):
        async def ServerStream(self, request: Note, context: object) -> None:  # noqa: N802 - grpcio's way
            del request, context

    class Derived(Foreign):
        pass

    text = "is never called: the handler of /penstock.test.echo.Echo/ServerStream is named server_stream"
    assert told(lambda: Server([Foreign()])) == f"Foreign.ServerStream {text}"
    assert told(lambda: Server([Derived()])) == f"Derived.ServerStream {text}"


def test_a_method_of_that_name_is_left_alone_beside_a_handler() -> None:
    class Both(EchoBase):
        async def Unary(self, request: Note, call: object) -> Note:  # noqa: N802 - grpcio's way
            return await self.unary(request, call)

        async def unary(self, request: Note, call: object) -> Note:
            del call
            return request

    class BoundLater(EchoBase):
        Unary = Both.Unary

    service = BoundLater()
    service.unary = Both().unary  # type: ignore[method-assign]  # what mypy refuses
    Server([Both()])
    Server([service])


def test_what_is_no_method_may_have_that_name() -> None:
    class Names(EchoBase):
        Unary = Note
        ServerStream = "text"

    Server([Names()])


def test_the_name_of_another_handler_is_no_mistake() -> None:
    class Base(Service):
        METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {
            "get": Method("/a.B/Get", Kind.BOTH_STREAM, bytes, bytes, RAW),
            "get_2": Method("/a.B/get", Kind.BOTH_STREAM, bytes, bytes, RAW),
        }

        async def get(self, stream: ServerStream[bytes, bytes]) -> None:
            """Does nothing."""

        async def get_2(self, stream: ServerStream[bytes, bytes]) -> None:
            """Does nothing."""

    class One(Base):
        async def get(self, stream: ServerStream[bytes, bytes]) -> None:
            """Does nothing either."""

    Server([One()])


# The arguments.


async def nothing() -> None: ...


async def one(request: object) -> None:
    del request


async def three(request: object, stream: object, database: object) -> None:
    del request, stream, database


async def named(request: object, *, stream: object) -> None:
    del request, stream


@pytest.mark.parametrize(
    ("name", "handler", "text"),
    [
        ("unary", one, "(request, call), not (request)"),
        ("unary", nothing, "(request, call), not ()"),
        ("server_stream", one, "(request, stream), not (request)"),
        ("server_stream", three, "(request, stream), not (request, stream, database)"),
        ("server_stream", named, "(request, stream), not (request, *, stream)"),
        ("client_stream", nothing, "(stream), not ()"),
        ("both_stream", three, "(stream), not (request, stream, database)"),
    ],
)
def test_a_handler_that_takes_other_arguments_is_told_its_own(name: str, handler: Any, text: str) -> None:
    service = Echo()
    setattr(service, name, handler)
    assert told(lambda: check_handler(service, name, service.METHODS[name])) == f"Echo.{name} takes {text}"


def test_self_is_not_counted() -> None:
    class Short(EchoBase):
        async def server_stream(self, request: Note) -> None:  # type: ignore[override]  # what mypy refuses
            del request

    assert told(lambda: Server([Short()])) == "Short.server_stream takes (request, stream), not (request)"


def test_what_stands_beside_the_services_is_looked_at_too() -> None:
    none: Any = nothing
    assert told(lambda: Server([], fallback=none)) == "fallback takes (stream), not ()"
    assert told(lambda: Server([], authenticate=none)) == "authenticate takes (call), not ()"
    assert told(lambda: Channel("localhost:1", credentials=none)) == "credentials takes (call), not ()"


class Metrics:
    """Has an interceptor that takes too much."""

    @asynccontextmanager
    async def count(self, call: object, name: str) -> AsyncIterator[None]:
        del call, name
        yield


def test_an_interceptor_is_looked_at_inside_of_its_decorator_on_both_sides() -> None:
    @asynccontextmanager
    async def idle() -> AsyncIterator[None]:
        yield

    wrong: list[Any] = [idle, Metrics().count]
    for interceptor, arguments in zip(wrong, ["()", "(call, name)"], strict=True):
        text = f"the interceptor {name_of(interceptor)} takes (call), not {arguments}"
        assert told(lambda: Server([], interceptors=[interceptor])) == text  # noqa: B023 - called at once
        assert told(lambda: Channel("localhost:1", interceptors=[interceptor])) == text  # noqa: B023


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call it with one more argument than its caller gave."""

    @functools.wraps(function)
    def call(*arguments: object) -> Any:
        return function(*arguments, "database")

    return call


def anything(*arguments: object, **options: object) -> None:
    del arguments, options


def optional(request: object, stream: object, timeout: float = 1) -> None:
    del request, stream, timeout


@pytest.mark.parametrize(
    "function",
    [
        anything,
        optional,
        injecting(three),
        functools.partial(three, "request"),
        asynccontextmanager(injecting(three)),
        dict.fromkeys,
        dict,
    ],
)
def test_what_may_fit_passes(function: Callable[..., Any]) -> None:
    check_arguments(function, "it", "request", "stream")


def test_what_cannot_tell_its_arguments_passes() -> None:
    class Odd:
        __signature__ = "text"

        def __call__(self) -> Never:
            raise AssertionError

    check_arguments(Odd(), "it", "request", "stream")


def test_a_method_is_named_by_the_class_of_its_object() -> None:
    assert name_of(Metrics().count) == "Metrics.count"
    assert name_of(around) == "around"
    assert re.fullmatch(r"functools\.partial\(.*\)", name_of(functools.partial(around, 1)))
