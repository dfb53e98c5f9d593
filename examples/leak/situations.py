"""The ways of real life in which a client leaves a stream open."""

from dataclasses import dataclass
from enum import Enum, auto

from examples.leak.feed import Topic


class Leaving(Enum):
    """What a client does once it has its first line."""

    KILLED = auto()
    """Its process is killed with -9: its kernel tells the server at once."""
    UNPLUGGED = auto()
    """Its cable is pulled: nobody tells the server."""
    STAYING = auto()
    """Its connection stays as it is, and it takes no further line."""


@dataclass(frozen=True)
class Situation:
    """Clients that subscribe to a topic and leave the stream open, one after another."""

    name: str
    topic: Topic
    leaving: Leaving


SITUATIONS = [
    Situation("killed; the handler sends", Topic.TICKS, Leaving.KILLED),
    Situation("killed; the handler waits", Topic.NEWS, Leaving.KILLED),
    Situation("unplugged; the handler sends", Topic.TICKS, Leaving.UNPLUGGED),
    Situation("unplugged; the handler waits", Topic.NEWS, Leaving.UNPLUGGED),
    Situation("stops reading", Topic.FLOOD, Leaving.STAYING),
    Situation("stays, and there is no news", Topic.NEWS, Leaving.STAYING),
]
