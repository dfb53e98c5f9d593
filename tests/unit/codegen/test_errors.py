"""What goes wrong while code is generated."""

from pathlib import Path

import pytest

from penstock.cli.main import main
from penstock.codegen.errors import GeneratorError, InputError, MissingProtocError, OutputError, ProtocError


@pytest.mark.parametrize(
    ("error", "code"),
    [(GeneratorError, 1), (ProtocError, 1), (OutputError, 1), (InputError, 2), (MissingProtocError, 2)],
)
def test_every_error_has_an_exit_code_and_its_text_is_shown(
    error: type[GeneratorError], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(paths: list[Path], **_: object) -> None:
        raise error(f"cannot read {paths[0]}")

    monkeypatch.setattr("penstock.codegen.generate.generate", fail)
    assert main(["generate", "a.proto"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cannot read a.proto" in captured.err
