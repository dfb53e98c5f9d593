"""What tests of programs that use Penstock are made of. Import it where tests are; nothing else in Penstock does."""

from typing import TYPE_CHECKING, Any

from penstock.testing.cancel_everywhere import Attempt, cancel_everywhere
from penstock.testing.conditions import BLACK_HOLE, CLEAR, STOPPED, Conditions
from penstock.testing.fault_proxy import FaultProxy
from penstock.testing.flow import Flow
from penstock.testing.manual_clock import ManualClock
from penstock.testing.memory import Link, MemoryChannel, connected
from penstock.testing.nothing_left import LeftBehind, assert_nothing_left, nothing_left_behind
from penstock.testing.proxied_connection import ProxiedConnection
from penstock.testing.settling import settle
from penstock.testing.wire import Wire

if TYPE_CHECKING:
    from penstock.testing.scripted_peer import ScriptedPeer, ScriptMismatch

__all__ = [
    "BLACK_HOLE",
    "CLEAR",
    "STOPPED",
    "Attempt",
    "Conditions",
    "FaultProxy",
    "Flow",
    "LeftBehind",
    "Link",
    "ManualClock",
    "MemoryChannel",
    "ProxiedConnection",
    "ScriptMismatch",
    "ScriptedPeer",
    "Wire",
    "assert_nothing_left",
    "cancel_everywhere",
    "connected",
    "nothing_left_behind",
    "settle",
]


def __getattr__(name: str) -> Any:
    # It needs hpack and hyperframe, of the extra `testing`; what else is here needs nothing.
    if name in {"ScriptMismatch", "ScriptedPeer"}:
        from penstock.testing import scripted_peer

        return getattr(scripted_peer, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
