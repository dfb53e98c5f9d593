"""Metadata: what travels beside the messages of a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import TypeAlias

__all__ = ["ForeignText", "Metadata", "MetadataLike", "MetadataValue"]

MetadataValue: TypeAlias = str | bytes
"""`str` (printable ASCII), or `bytes` for a key that ends in `-bin`."""

MetadataLike: TypeAlias = Mapping[str, MetadataValue] | Sequence[tuple[str, MetadataValue]]
"""What is taken wherever metadata is given: a mapping, or pairs if a key comes more than once."""


class ForeignText(str):
    """A value of a peer that HTTP allows and gRPC does not: each byte is one character (Latin-1).

    It may be sent on as it is; text of one's own must be printable ASCII. Source: gRPC PROTOCOL-HTTP2, "ASCII-Value".
    """

    __slots__ = ()


class Metadata(MutableMapping[str, MetadataValue]):
    """Keys and values in the order of the wire. A key may come more than once.

    Keys are lower case; `metadata["Key"]` finds `key`. `metadata[key]` is the first value, `get_all(key)` all of them.
    Setting a key replaces all its values; `add` keeps them. Source: gRPC PROTOCOL-HTTP2, "Custom-Metadata".
    """

    __slots__ = ("_pairs",)

    def __init__(self, values: MetadataLike | None = None) -> None:
        if values is None:
            self._pairs: list[tuple[str, MetadataValue]] = []
        elif isinstance(values, Metadata):
            self._pairs = list(values.pairs())
        else:
            pairs = values.items() if isinstance(values, Mapping) else values
            try:
                self._pairs = [(key.lower(), value) for key, value in pairs]
            except (AttributeError, TypeError, ValueError) as error:
                raise _misshapen(values) from error

    def pairs(self) -> list[tuple[str, MetadataValue]]:
        """All pairs, in order."""
        return list(self._pairs)

    def get_all(self, key: str) -> list[MetadataValue]:
        """All values of `key`, in order; none if it is not there."""
        key = key.lower()
        return [value for name, value in self._pairs if name == key]

    def add(self, key: str, value: MetadataValue) -> None:
        """Append a value, beside those the key has."""
        self._pairs.append((key.lower(), value))

    def extend(self, values: MetadataLike) -> None:
        """Append pairs, beside those there are."""
        self._pairs += Metadata(values)._pairs

    def __getitem__(self, key: str) -> MetadataValue:
        wanted = key.lower()
        for name, value in self._pairs:
            if name == wanted:
                return value
        raise KeyError(key)

    def __setitem__(self, key: str, value: MetadataValue) -> None:
        key = key.lower()
        self._pairs = [pair for pair in self._pairs if pair[0] != key]
        self._pairs.append((key, value))

    def __delitem__(self, key: str) -> None:
        wanted = key.lower()
        kept = [pair for pair in self._pairs if pair[0] != wanted]
        if len(kept) == len(self._pairs):
            raise KeyError(key)
        self._pairs = kept

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return self._pairs == other._pairs
        if isinstance(other, Mapping):
            return dict(self.items()) == dict(other.items())
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return f"Metadata({self._pairs!r})"


def _misshapen(values: object) -> Exception:
    from penstock.errors import UsageError  # not above: errors carry metadata

    return UsageError(f"metadata is a mapping or pairs, of str keys to str or bytes, not {values!r}")


def to_wire(values: MetadataLike | None) -> list[tuple[str, MetadataValue]] | None:
    """Pairs for the engine; `None` if there are none."""
    if not values:
        return None
    return values._pairs if isinstance(values, Metadata) else Metadata(values)._pairs
