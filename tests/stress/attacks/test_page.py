"""Does docs/limits-and-threats.md say what is true?"""

import re
from dataclasses import MISSING, fields
from math import inf
from pathlib import Path
from typing import Any

import pytest

from penstock import Admission, Limits, ServerKeepalive
from tests.stress.attacks.catalogue import ATTACKS

PAGE = (Path(__file__).parents[3] / "docs" / "limits-and-threats.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def as_text(name: str, value: Any) -> str:
    if value is True or value == inf:
        return "yes" if value is True else "never"
    if not isinstance(value, int | float):
        return "none"
    if name.endswith("_seconds"):
        return f"{value:g} s"
    if "_bytes" in name:
        if value == 2**31 - 1:
            return "2 GiB - 1"
        unit, size = next((unit, size) for unit, size in UNITS if value >= size)
        return f"{value // size} {unit}"
    return f"{value:,}"


@pytest.mark.parametrize("settings", [Limits, Admission, ServerKeepalive])
def test_each_setting_is_on_the_page_with_its_default(settings: type[Any]) -> None:
    page = dict(ROW.findall(PAGE[PAGE.index(f"`penstock.{settings.__name__}`") :].partition("\n## ")[0]))
    made = settings()
    expected = {
        field.name: as_text(field.name, None if field.default is MISSING else getattr(made, field.name))
        for field in fields(settings)
        if field.init
    }
    assert page == expected


def test_each_counter_of_an_attack_is_on_the_page() -> None:
    assert [(attack.name, name) for attack in ATTACKS for name in attack.counters if f"`{name}`" not in PAGE] == []
