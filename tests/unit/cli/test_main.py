"""The `penstock` script."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.main import main


def test_without_a_command_the_usage_is_shown_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: penstock")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "generate" in capsys.readouterr().out


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "penstock.cli", "generate", str(tmp_path / "missing")]
    child = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (child.returncode, child.stdout) == (2, "")
    assert child.stderr == f"error: no such file or folder: {tmp_path / 'missing'}\n"
