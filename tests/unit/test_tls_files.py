"""Whatever is wrong with a file of certificates or keys is said with its name."""

import errno
import ssl
from pathlib import Path

import pytest

from penstock import UsageError, _tls_files
from tests.certificates import Certificates


@pytest.fixture(autouse=True)
def files(certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a server's certificate and key, somebody else's key, and files that hold neither."""
    monkeypatch.chdir(tmp_path)
    for name, both in (("server", certificates.server), ("other", certificates.client)):
        text = both.read_text()
        begin = text.index("-----BEGIN CERTIFICATE")
        Path(f"{name}.key").write_text(text[:begin])
        Path(f"{name}.pem").write_text(text[begin:])
    Path("both.pem").write_text(Path("server.pem").read_text() + Path("server.key").read_text())
    Path("empty.pem").touch()
    Path("broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize(("certificate", "key"), [("server.pem", "server.key"), ("both.pem", None)])
def test_a_certificate_is_loaded_with_its_key(certificate: str, key: str | None) -> None:
    _tls_files.load_own(context(), certificate, key)


@pytest.mark.parametrize(
    ("certificate", "key", "text"),
    [
        ("server.pem", "other.key", "the key in 'other.key' does not belong to the certificate in 'server.pem'"),
        ("server.pem", None, "no key in 'server.pem': pass key="),
        ("server.pem", "server.pem", "no key in 'server.pem'"),
        ("server.pem", "empty.pem", "no key in 'empty.pem'"),
        ("server.key", "server.pem", "no certificate in 'server.key'"),
        ("empty.pem", "server.key", "no certificate in 'empty.pem'"),
    ],
)
def test_what_is_wrong_with_a_certificate_or_its_key_is_named(certificate: str, key: str | None, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _tls_files.load_own(context(), certificate, key)
    assert str(caught.value) == text
    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_a_certificate_that_is_broken_inside_is_named_with_what_openssl_says() -> None:
    text = "^the certificate in 'broken.pem' and the key in 'server.key' cannot be used: .*PEM lib"
    with pytest.raises(UsageError, match=text):
        _tls_files.load_own(context(), Path("broken.pem"), Path("server.key"))
    with pytest.raises(UsageError, match=r"^the certificates in 'broken.pem' cannot be used: .*PEM lib"):
        _tls_files.load_trusted(context(), Path("broken.pem"))


@pytest.mark.parametrize("path", ["server.key", "empty.pem"])
def test_nobody_can_be_trusted_by_a_file_without_certificates(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        _tls_files.load_trusted(context(), path)
    assert str(caught.value) == f"no certificate in {path!r}"
    assert isinstance(caught.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize(
    ("certificate", "key"), [("nope.pem", None), ("nope.pem", "server.key"), ("server.pem", "nope.pem")]
)
def test_a_file_that_is_not_there_is_named(certificate: str, key: str | None) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        _tls_files.load_own(context(), certificate, key)
    assert str(caught.value) == "[Errno 2] No such file or directory: 'nope.pem'"
    with pytest.raises(FileNotFoundError, match=r"'nope.pem'$"):
        _tls_files.load_trusted(context(), "nope.pem")


def test_a_folder_is_named_as_one() -> None:
    Path("folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        _tls_files.load_trusted(context(), "folder")
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, "folder")
