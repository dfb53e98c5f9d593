"""What tests of programs that use Penstock are made of. Import it where tests are; nothing else in Penstock does."""

from penstock.testing.memory import Link, MemoryChannel, connected
from penstock.testing.settling import settle
from penstock.testing.wire import Wire

__all__ = [
    "Link",
    "MemoryChannel",
    "Wire",
    "connected",
    "settle",
]
