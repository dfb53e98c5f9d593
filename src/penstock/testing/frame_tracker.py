"""Where the frames of HTTP/2 begin in one direction of a connection."""

from __future__ import annotations

PREFACE_BYTES = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
HEAD_BYTES = 9
"""u24 length | u8 type | u8 flags | u32 stream. Source: RFC 9113 section 4.1."""
NEVER = -1


class FrameTracker:
    """Follows one direction from its beginning, and finds the middle of a frame when that is asked for.

    Args:
        preface: The direction begins with a client's preface.
    """

    def __init__(self, *, preface: bool) -> None:
        self.armed = False
        """The next frame that begins and has a payload of two bytes or more is to be cut."""
        self._left = PREFACE_BYTES if preface else 0
        self._middle = NEVER
        """What is left of the payload at its middle."""
        self._head = b""

    def follow(self, data: bytes) -> int | None:
        """Take notice of what passes by next.

        Returns:
            Where in `data` the middle of the frame to be cut is; `None`: not in here. After that it follows no longer.
        """
        at = 0
        while at < len(data):
            if not self._left:
                at += self._follow_head(data[at : at + HEAD_BYTES])
                continue
            step = min(self._left, len(data) - at)
            if self._left - step <= self._middle:
                return at + self._left - self._middle
            self._left -= step
            at += step
        return None

    def _follow_head(self, data: bytes) -> int:
        step = min(HEAD_BYTES - len(self._head), len(data))
        self._head += data[:step]
        if len(self._head) == HEAD_BYTES:
            self._left = int.from_bytes(self._head[:3])
            self._middle = self._left - self._left // 2 if self.armed and self._left > 1 else NEVER
            self._head = b""
        return step
