"""The names of the package, imported when they are used."""

import subprocess
import sys
from types import ModuleType

import pytest

import penstock
from penstock._names import HOMES

MODULES = """
import sys
def modules():
    return {name.partition(".")[2] for name in sys.modules if name.startswith("penstock.")}
"""


def run(program: str) -> str:
    command = [sys.executable, "-c", MODULES + program]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_the_package_alone_imports_nothing() -> None:
    assert run("import penstock; print(modules(), 'asyncio' in sys.modules)") == "{'_names'} False\n"


def test_a_client_imports_nothing_that_serves() -> None:
    serving = "{'server', 'statistics', '_handlers', '_sync_handlers', '_pool', '_server_connection'}"
    assert run(f"import penstock; penstock.Channel; print(modules() & {serving})") == "set()\n"


def test_every_module_can_be_the_first() -> None:
    # One process for all of them; the engine cannot be made twice in one.
    program = """
import importlib, pathlib, penstock._engine
for path in pathlib.Path(penstock.__file__).parent.glob("[a-z_]*.py"):
    for name in modules() - {"_engine"}:
        del sys.modules[f"penstock.{name}"]
    importlib.import_module(f"penstock.{path.stem}")
print("done")
"""
    assert run(program) == "done\n"


def test_every_promised_name_has_a_home() -> None:
    homes = {name for names in HOMES.values() for name in names.split()}
    assert homes | {"__version__", "keepalive", "tls"} == set(penstock.__all__)
    assert all(hasattr(penstock, name) for name in penstock.__all__)


def test_a_name_is_looked_for_once() -> None:
    assert run("import penstock; penstock.Kind; print('Kind' in vars(penstock))") == "True\n"


def test_a_module_can_be_reached_without_importing_it() -> None:
    assert run("import penstock; print(penstock.status.StatusCode.OK.name)") == "OK\n"
    assert isinstance(penstock.tls, ModuleType)


def test_dir_shows_what_was_not_used_yet() -> None:
    assert run("import penstock; print(set(penstock.__all__) <= set(dir(penstock)))") == "True\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'penstock' has no attribute 'Chanel'"):
        _ = penstock.Chanel  # type: ignore[attr-defined]  # what is to be told
