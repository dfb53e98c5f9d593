"""Why a call ended."""

import ast
import copy
import itertools
import logging
import pickle
from pathlib import Path

import pytest

from penstock import End, ends

every_end = pytest.mark.parametrize("end", End, ids=lambda end: end.name)


@every_end
def test_an_end_is_one_object_however_it_is_reached(end: End) -> None:
    assert End(end.value) is End[end.name] is copy.deepcopy(end) is pickle.loads(pickle.dumps(end)) is end


@every_end
def test_an_end_is_called_by_its_name_in_words(end: End) -> None:
    assert end.value == end.name.lower().replace("_", " ")


@every_end
def test_an_end_has_a_level_of_logging(end: End) -> None:
    assert end.level in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}


def test_a_failed_handler_is_the_only_end_that_is_an_error() -> None:
    assert [end for end in End if end.level >= logging.ERROR] == [End.FAILED]


def test_ends_count_one_by_one() -> None:
    counts = dict.fromkeys(End, 0)
    for end in End:
        counts[end] += 1
    assert list(counts) == list(End)
    assert set(counts.values()) == {1}


def test_each_end_says_what_it_means() -> None:
    tree = ast.parse(Path(ends.__file__).read_text("utf-8"))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    said = [
        before.targets[0].id
        for before, behind in itertools.pairwise(body)
        if isinstance(before, ast.Assign)
        and isinstance(before.targets[0], ast.Name)
        and isinstance(behind, ast.Expr)
        and isinstance(behind.value, ast.Constant)
    ]
    assert said == [end.name for end in End]
