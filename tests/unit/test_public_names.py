"""What people import: all of it is in `penstock`, and says what it promises."""

import ast
import dataclasses
import importlib
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import penstock
import penstock.testing

PACKAGE = Path(penstock.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))
SENDS = {"send", "send_nowait", "send_many", "send_from", "send_initial_metadata", "broadcast", "send_each"}

NAMESPACES = {
    "keepalive": {"DEFAULT", "FRUGAL", "GRPC", "LIVELY", "Pair", "STEADY", "check"},
    "tls": {"client_context", "server_context"},
}
"""Modules in the package's own `__all__`, and what is reached through them alone."""


CALL = """cancel came_compressed end id on_receive on_send peer_compression receive receive_many send send_from
    send_many send_nowait set_message_timeouts status"""
CLIENT = f"{CALL} initial_metadata metadata method peer time_remaining tls trailing_metadata"
CLIENT_STREAM = f"{CLIENT} draining end_sending kind"
CHANNEL = """call_both_stream call_client_stream call_server_stream call_unary close connection_statistics ready state
    statistics stream streams"""
ERROR = "code details message metadata origin relay retryable status"

PROMISED = {
    "BothStreamCall": f"{CLIENT_STREAM} finish",
    "Call": "metadata method on_receive on_send peer status time_remaining tls trailing_metadata",
    "Cancelled": ERROR,
    "Channel": CHANNEL,
    "ChannelStatistics": "calls_ended is_idle to_dict",
    "ClientCall": CLIENT,
    "ClientStreamCall": f"{CLIENT_STREAM} finish",
    "Codec": "decoder encoder",
    "ConnectionStatistics": "to_dict",
    "DeadlineExceeded": ERROR,
    "Kind": "one_reply one_request",
    "LiveStream": "kill",
    "Metadata": "add extend get_all pairs",
    "ResourceExhausted": ERROR,
    "RpcError": ERROR,
    "Server": "addresses connection_statistics listening replace_tls serve statistics stop streams",
    "ServerStatistics": "calls_ended is_idle to_dict",
    "ServerStream": f"""{CALL} authority draining identity metadata method peer send_initial_metadata set_compression
        time_remaining tls trailing_metadata""",
    "ServerStreamCall": CLIENT_STREAM,
    "Service": "METHODS",
    "Stream": CALL,
    "UnaryCall": f"{CLIENT} kind",
    "Unavailable": ERROR,
    "testing.Attempt": "was_cancelled",
    "testing.Conditions": "are_clear",
    "testing.FaultProxy": """address bytes_to_client bytes_to_server connections connections_accepted on_connection
        random refusing reset_all set_both to_client to_server upstream""",
    "testing.Flow": "bytes_forwarded bytes_read conditions cut_after cut_in_next_frame queued_bytes",
    "testing.LeftBehind": "found",
    "testing.Link": "client come_back go_silent server",
    "testing.ManualClock": "advance elapsed_seconds next_timer_seconds",
    "testing.MemoryChannel": f"{CHANNEL} failures links server",
    "testing.ProxiedConnection": "close drop ended is_open reset to_client to_server",
    "testing.ScriptedPeer": "channel connected_to listening seen",
    "testing.Wire": "arrive come_back go_silent hear_end hold lose peer reading release",
}
"""What an editor shows of each class, beside the fields of a dataclass, the members of an enum, and what comes from
classes of others. What is ours begins with an underscore: once somebody uses it, it cannot be changed any more."""


def module(name: str) -> ModuleType:
    return importlib.import_module(f"penstock.{name}")


def public_objects() -> Iterator[tuple[str, Any]]:
    """Functions and classes of penstock, and the public methods and properties of these, by their full names."""
    offered = {name: getattr(penstock, name) for name in penstock.__all__}
    for namespace, names in NAMESPACES.items():
        offered |= {f"{namespace}.{name}": getattr(module(namespace), name) for name in names}
    for name, thing in offered.items():
        if isinstance(thing, type | FunctionType):
            yield name, thing
        if isinstance(thing, type) and thing.__module__.startswith("penstock."):
            for part, value in inspect.getmembers(thing):
                defined_here = any(
                    part in vars(base) for base in thing.__mro__ if base.__module__.startswith("penstock.")
                )
                if not part.startswith("_") and defined_here and isinstance(value, FunctionType | property):
                    yield f"{name}.{part}", value


def stub_functions() -> Iterator[tuple[str, str | None]]:
    """The public methods of the compiled base of streams, and what their stub says of them."""
    tree = ast.parse((PACKAGE / "_engine.pyi").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "StreamBase":
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                    yield f"Stream.{part.name}", ast.get_docstring(part)


DOCUMENTED = [*((name, inspect.getdoc(thing)) for name, thing in public_objects()), *stub_functions()]
COROUTINES = [
    *(name for name, thing in public_objects() if inspect.iscoroutinefunction(inspect.unwrap(thing))),
    "Stream.send",
    "Stream.receive",
]


def shown(kind: type) -> set[str]:
    """Give the names that an editor offers for an object of this class, and that this library gave it."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("penstock")]
    names = {name for base in kind.__mro__ if base not in ours for name in dir(base)}
    fields = set(getattr(kind, "__dataclass_fields__", ())) | set(getattr(kind, "__members__", ()))
    return {name for name in {*dir(kind), *set_by_init(ours)} - names - fields if not name.startswith("_")}


def set_by_init(kinds: list[type]) -> Iterator[str]:
    """Attributes that objects have and their classes have not."""
    for kind in kinds:
        init = vars(kind).get("__init__")
        if isinstance(init, FunctionType) and not dataclasses.is_dataclass(kind):
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(init)))):
                match node:
                    case ast.Attribute(ast.Name("self"), name, ast.Store()):
                        yield name


CLASSES = {
    **{name: getattr(penstock, name) for name in penstock.__all__},
    **{f"testing.{name}": getattr(penstock.testing, name) for name in penstock.testing.__all__},
    "keepalive.Pair": penstock.keepalive.Pair,
}


@pytest.mark.parametrize("name", sorted(name for name, kind in CLASSES.items() if isinstance(kind, type)))
def test_a_class_shows_what_it_promises_and_nothing_else(name: str) -> None:
    assert shown(CLASSES[name]) == set(PROMISED.get(name, "").split())


@pytest.mark.parametrize("name", MODULES)
def test_what_a_public_module_offers_is_in_the_package(name: str) -> None:
    offered = set(getattr(module(name), "__all__", ())) - {"__version__"}
    assert offered - NAMESPACES.get(name, set()) <= set(penstock.__all__)


def test_the_package_offers_nothing_that_no_module_offers() -> None:
    offered = {name for each in MODULES for name in getattr(module(each), "__all__", ())}
    assert set(penstock.__all__) - offered == {"__version__", *NAMESPACES}


@pytest.mark.parametrize(("name", "text"), DOCUMENTED, ids=[name for name, _ in DOCUMENTED])
def test_every_public_name_begins_with_one_sentence(name: str, text: str | None) -> None:
    assert text, name
    first = text.partition("\n\n")[0]
    assert first.rstrip().endswith((".", ":", "`")), first


@pytest.mark.parametrize("name", COROUTINES)
def test_what_is_awaited_says_what_it_waits_for(name: str) -> None:
    text = dict(DOCUMENTED)[name]
    assert text
    assert "Waits until:" in text or "Does not wait" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, text in DOCUMENTED if name.rpartition(".")[2] in SENDS],
    ids=[name for name, _ in DOCUMENTED if name.rpartition(".")[2] in SENDS],
)
def test_whatever_sends_says_what_it_does_not_promise(name: str, text: str | None) -> None:
    assert text, name
    assert "Does not promise:" in text


@pytest.mark.parametrize("name", MODULES)
def test_every_field_of_a_dataclass_says_what_it_is(name: str) -> None:
    classes = [thing for _, thing in inspect.getmembers(module(name), dataclasses.is_dataclass)]
    for kind in classes:
        if not isinstance(kind, type) or kind.__module__ != f"penstock.{name}":
            continue
        body = ast.parse(inspect.getsource(kind)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, following in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                assert isinstance(following, ast.Expr), f"{kind.__name__}: {ast.unparse(field)}"


def test_importing_the_package_brings_in_protobuf_and_no_other_package() -> None:
    program = "import sys; before = set(sys.modules); import penstock; print(*sorted(set(sys.modules) - before))"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    packages = {name.partition(".")[0] for name in child.stdout.split()}
    assert packages - sys.stdlib_module_names <= {"google", "penstock"}
