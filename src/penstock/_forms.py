"""The form of what a program passes: seen when a `Server` or a `Channel` is made, not when the first call comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError
from penstock.service import Service

if TYPE_CHECKING:
    from penstock.method import Method

MANAGER = asynccontextmanager(lambda: None).__code__  # type: ignore[arg-type,return-value]  # never called
"""The code of every function that `asynccontextmanager` makes."""


def check_services(services: Iterable[Service]) -> None:
    """Look whether they are several.

    Raises:
        UsageError: They are one, or nothing of the kind.
    """
    cls = services if isinstance(services, type) else type(services)
    if issubclass(cls, Service):
        msg = f"services is a list of objects: Server([{cls.__name__}()])"
        raise UsageError(msg)
    if not _is_iterable(services):
        msg = f"services is a list of objects, not {services!r}"
        raise UsageError(msg)


def check_interceptors(interceptors: Iterable[Callable[[Any], Any]]) -> None:
    """Look whether they are several.

    Raises:
        UsageError: They are one, or nothing of the kind.
    """
    if not _is_iterable(interceptors):
        example = f": interceptors=[{name_of(interceptors)}]" if callable(interceptors) else f", not {interceptors!r}"
        msg = f"interceptors is a list of functions{example}"
        raise UsageError(msg)


def check_handler(service: Service, name: str, method: Method[Any, Any]) -> Callable[..., Any]:
    """Give what serves a method.

    Raises:
        UsageError: It is missing, has another name or another form, or takes other arguments.
    """
    handler: Callable[..., Any] | None = getattr(service, name, None)
    if not callable(handler):
        msg = f"{type(service).__name__} has no method {name!r} for {method.path}"
        raise UsageError(msg)
    _check_name(service, name, method)
    where = f"{type(service).__name__}.{name}"
    is_generator = inspect.isgeneratorfunction(handler)
    if is_generator and not method.kind.one_request:
        msg = f"{where} is a sync generator, but {method.path} reads a stream; write `async def`"
        raise UsageError(msg)
    if method.kind.one_reply and (is_generator or inspect.isasyncgenfunction(handler)):
        msg = f"{where} yields, but {method.path} has one reply: return it"
        raise UsageError(msg)
    if method.kind.one_request:
        check_arguments(handler, where, "request", "call" if method.kind.one_reply else "stream")
    else:
        check_arguments(handler, where, "stream")
    return handler


def is_sync(handler: Callable[..., Any]) -> bool:
    """It may block: neither it nor what a decorator says it wraps is `async`."""
    function = inspect.unwrap(handler)
    call = getattr(type(function), "__call__", None)  # noqa: B004 - what it does when called
    tests = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return not any(test(function) or test(call) for test in tests) and not _is_unimplemented(function)


def _is_unimplemented(function: object) -> bool:
    """It does nothing but `raise penstock.unimplemented(METHOD)`, as the methods of generated bases do."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    return len(names) == 3 and names[:2] == ("penstock", "unimplemented")


def _check_name(service: Service, name: str, method: Method[Any, Any]) -> None:
    """A method under the name it has in the .proto, as grpcio wants it, is never called."""
    wire_name = method.path.rpartition("/")[2]
    if wire_name == name or wire_name in service.METHODS:
        return
    classes = type(service).__mro__
    base = next(index for index, cls in enumerate(classes) if "METHODS" in vars(cls))
    generated = vars(classes[base]).get(name)
    if generated is None or inspect.getattr_static(service, name) is not generated:
        return
    if any(inspect.isroutine(vars(cls).get(wire_name)) for cls in classes[:base]):
        msg = f"{type(service).__name__}.{wire_name} is never called: the handler of {method.path} is named {name}"
        raise UsageError(msg)


def check_arguments(function: Callable[..., Any], where: str, *arguments: str) -> None:
    """Look whether it can be called with these, by position. What has no signature passes.

    Raises:
        UsageError: It takes others; the text says which.
    """
    try:
        signature = inspect.signature(_inside_manager(function), follow_wrapped=False)
    except Exception:  # noqa: BLE001  # also what evaluating its annotations raises, from Python 3.14 on
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        parameters = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
        msg = f"{where} takes ({', '.join(arguments)}), not {inspect.Signature(parameters)}"
        raise UsageError(msg) from None


def _inside_manager(function: Any) -> Any:
    # `asynccontextmanager` passes arguments on as they are. Other decorators may add some, or take some away.
    while getattr(function, "__code__", None) is MANAGER:
        owner = getattr(function, "__self__", None)
        function = function.__wrapped__ if owner is None else function.__wrapped__.__get__(owner)
    return function


def name_of(function: object) -> str:
    """What a text calls it: a method by the class of its object, `Feed.watch`."""
    if inspect.ismethod(function) and hasattr(function, "__name__"):
        owner = function.__self__
        return f"{(owner if isinstance(owner, type) else type(owner)).__name__}.{function.__name__}"
    return getattr(function, "__qualname__", None) or repr(function)


def _is_iterable(value: object) -> bool:
    try:
        iter(value)  # type: ignore[call-overload]  # that is the question
    except TypeError:
        return False
    return True
