"""Metadata: an ordered mapping with keys that may come more than once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Metadata, MetadataValue
from penstock.metadata import to_wire

Pairs = list[tuple[str, MetadataValue]]

keys = st.text("abcABC-", min_size=1, max_size=3)
values = st.one_of(st.text("xyz", max_size=2), st.binary(max_size=2))
pair_lists = st.lists(st.tuples(keys, values), max_size=8)


def test_pairs_keep_their_order() -> None:
    pairs: Pairs = [("b", "1"), ("a", "2"), ("b", "3")]
    assert Metadata(pairs).pairs() == pairs


def test_a_mapping_gives_its_items() -> None:
    mapping: dict[str, MetadataValue] = {"a": "1", "b-bin": b"2"}
    assert Metadata(mapping).pairs() == [("a", "1"), ("b-bin", b"2")]


def test_nothing_is_empty() -> None:
    assert Metadata().pairs() == []
    assert not Metadata(None)


def test_keys_are_lower_case_however_they_are_written() -> None:
    metadata = Metadata({"Key": "1"})
    assert metadata.pairs() == [("key", "1")]
    assert metadata["KEY"] == "1"
    assert "kEy" in metadata
    assert metadata.get_all("KEY") == ["1"]


def test_a_key_gives_its_first_value_and_get_all_gives_all() -> None:
    metadata = Metadata([("k", "1"), ("other", "2"), ("k", "3")])
    assert metadata["k"] == "1"
    assert metadata.get_all("k") == ["1", "3"]


def test_a_key_that_is_not_there_is_a_key_error_or_the_default() -> None:
    metadata = Metadata({"k": "1"})
    with pytest.raises(KeyError, match="missing"):
        metadata["missing"]
    with pytest.raises(KeyError, match="missing"):
        del metadata["missing"]
    assert metadata.get("missing") is None
    assert metadata.get_all("missing") == []


def test_setting_replaces_all_values_and_add_keeps_them() -> None:
    metadata = Metadata([("k", "1"), ("k", "2")])
    metadata.add("K", "3")
    assert metadata.get_all("k") == ["1", "2", "3"]
    metadata["K"] = "4"
    assert metadata.get_all("k") == ["4"]


def test_deleting_a_key_deletes_all_its_values() -> None:
    metadata = Metadata([("k", "1"), ("a", "2"), ("k", "3")])
    del metadata["K"]
    assert metadata.pairs() == [("a", "2")]


def test_a_copy_does_not_follow_the_original() -> None:
    original = Metadata({"k": "1"})
    copy = Metadata(original)
    original["k"] = "2"
    assert copy.pairs() == [("k", "1")]


def test_pairs_are_a_copy() -> None:
    metadata = Metadata({"k": "1"})
    metadata.pairs().clear()
    assert metadata.pairs() == [("k", "1")]


def test_equality_counts_order_and_repetition() -> None:
    assert Metadata({"a": "1", "b": "2"}) == Metadata([("a", "1"), ("b", "2")])
    assert Metadata([("a", "1"), ("b", "2")]) != Metadata([("b", "2"), ("a", "1")])
    assert Metadata([("a", "1"), ("a", "1")]) != Metadata([("a", "1")])


def test_a_plain_mapping_is_equal_by_its_items() -> None:
    assert Metadata({"a": "1", "b": "2"}) == {"b": "2", "a": "1"}
    assert Metadata({"a": "1"}) != [("a", "1")]


def test_what_can_change_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Metadata())


def test_repr_shows_the_pairs() -> None:
    assert repr(Metadata({"a": "1"})) == "Metadata([('a', '1')])"


@given(pair_lists)
def test_length_and_iteration_count_each_key_once(pairs: Pairs) -> None:
    metadata = Metadata(pairs)
    assert len(metadata) == len(list(metadata)) == len({key.lower() for key, _ in pairs})
    assert set(metadata) == {key.lower() for key, _ in pairs}


@given(pair_lists)
def test_items_are_the_first_values(pairs: Pairs) -> None:
    first: dict[str, MetadataValue] = {}
    for key, value in pairs:
        first.setdefault(key.lower(), value)
    assert dict(Metadata(pairs).items()) == first


@given(pair_lists, keys)
def test_every_value_is_found_by_its_key(pairs: Pairs, key: str) -> None:
    expected = [value for name, value in pairs if name.lower() == key.lower()]
    assert Metadata(pairs).get_all(key) == expected


@pytest.mark.parametrize("nothing", [None, {}, [], ()])
def test_nothing_is_none_for_the_engine(nothing: Pairs | None) -> None:
    assert to_wire(nothing) is None


@given(pair_lists.filter(bool))
def test_the_engine_gets_lower_case_pairs_whatever_was_given(pairs: Pairs) -> None:
    expected = [(key.lower(), value) for key, value in pairs]
    assert to_wire(pairs) == to_wire(tuple(pairs)) == to_wire(Metadata(pairs)) == expected


def test_extend_keeps_what_there_is() -> None:
    metadata = Metadata([("k", "1")])
    metadata.extend([("K", "2"), ("l", "3")])
    metadata.extend(Metadata({"k": "4"}))
    assert metadata.pairs() == [("k", "1"), ("k", "2"), ("l", "3"), ("k", "4")]
