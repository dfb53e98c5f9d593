"""Messages that do not come, or do not go: the first of a call, the next of a stream, on either side."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock._arguments import is_number
from penstock.ends import End
from penstock.errors import UsageError
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from penstock._timers import Expiring, Timers
    from penstock.limits import CallOptions, Limits
    from penstock.stream import Stream


class MessageTimeouts(NamedTuple):
    """How long a call may be without messages, in seconds; `math.inf` for as long as it likes."""

    first: float = inf
    receive: float = inf
    send: float = inf

    def with_options(self, options: CallOptions) -> MessageTimeouts:
        """The same, with what the options of a call say in its place."""
        return self.replaced(
            options.first_message_timeout_seconds,
            options.receive_idle_timeout_seconds,
            options.send_idle_timeout_seconds,
        )

    def replaced(self, first: float | None, receive: float | None, send: float | None) -> MessageTimeouts:
        """The same, but for those that are given.

        Raises:
            UsageError: One is no number of seconds above 0.
        """
        given = zip(NAMES, (first, receive, send), self, strict=True)
        return MessageTimeouts(*(before if new is None else checked(name, new) for name, new, before in given))


NAMES = ("first_message_timeout_seconds", "receive_idle_timeout_seconds", "send_idle_timeout_seconds")
NEVER = MessageTimeouts()


def of_limits(limits: Limits) -> MessageTimeouts:
    """What calls have unless they say otherwise."""
    timeouts = MessageTimeouts(*(getattr(limits, name) for name in NAMES))
    return NEVER if timeouts == NEVER else timeouts  # what most calls have is known by its identity


def checked(name: str, seconds: Any) -> float:
    """Look at what a program gave."""
    if not is_number(seconds) or not seconds > 0:
        msg = f"{name} is a number of seconds above 0, not {seconds!r}"
        raise UsageError(msg)
    return float(seconds)


class MessageWatch:
    """Ends one call that is without messages for too long.

    It is told of no message: one timer of the call looks at the tally that the engine keeps anyway.
    """

    __slots__ = ("_among", "_began_at", "_busy_at", "_call", "_timeouts", "_timers")

    def __init__(self, call: Stream[Any, Any], timers: Timers, timeouts: MessageTimeouts) -> None:
        self._call = call
        self._timers = timers
        self._timeouts = timeouts
        self._began_at = self._busy_at = call._loop.time()
        self._among: set[Expiring] = set()
        self._look()

    def stop(self) -> None:
        """The call is over, or is watched otherwise."""
        self._among.discard(self)

    def _on_expired(self) -> None:
        if self._call._status is None:
            self._look()

    def _look(self) -> None:
        now = self._call._loop.time()
        messages_in, _, _, _, idle_in, idle_out, held, queued, _ = self._call._tally()
        if held:
            # The peer has sent, perhaps all that its window lets it: it is this side's turn.
            self._busy_at = now
        first, receive, send = self._timeouts
        lefts = [inf]
        if self._call._peer_may_send:
            if not messages_in:
                lefts.append(self._judge(End.FIRST_MESSAGE, first, now - self._began_at))
            lefts.append(self._judge(End.RECEIVE_IDLE, receive, min(idle_in, now - self._busy_at)))
        if self._call._may_send():
            lefts.append(self._judge(End.SEND_IDLE, send, 0.0 if queued else idle_out))
        left = min(lefts)
        if self._call._status is None and left < inf:
            self._among = self._timers.add(now + left, left, self)

    def _judge(self, end: End, timeout: float, waited: float) -> float:
        """Give what is left, above 0; or end the call."""
        if waited < timeout:
            # Clocks differ in their last digits, and a timer needs something to wait for.
            return max(timeout - waited, 0.001)
        self._call._close(Status(StatusCode.DEADLINE_EXCEEDED, TEXTS[end].format(timeout)), end)
        return inf


TEXTS = {
    End.FIRST_MESSAGE: "the first message did not come within {:g} s",
    End.RECEIVE_IDLE: "no message came for {:g} s",
    End.SEND_IDLE: "no message was sent for {:g} s",
}
