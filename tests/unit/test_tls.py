"""Contexts as gRPC wants them, and what is known of a peer."""

import ssl
from pathlib import Path

import pytest

from penstock import UsageError, tls
from tests.certificates import Certificates


def test_a_client_verifies_its_server_and_speaks_tls_1_2_at_least(certificates: Certificates) -> None:
    context = tls.client_context(certificates.ca)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_trusts_the_authority_it_was_given_and_no_other(certificates: Certificates) -> None:
    assert len(tls.client_context(certificates.ca).get_ca_certs()) == 1


def test_a_client_trusts_those_of_the_system_unless_told(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    (mine,) = tls.client_context(certificates.ca).get_ca_certs()
    assert mine in tls.client_context().get_ca_certs()


def test_a_server_asks_for_certificates_only_if_it_can_verify_them(certificates: Certificates) -> None:
    assert tls.server_context(certificates.server, certificates.server).verify_mode == ssl.CERT_NONE
    assert certificates.server_context().verify_mode == ssl.CERT_REQUIRED
    assert certificates.server_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificate_and_key_may_be_two_files(certificates: Certificates, tmp_path: Path) -> None:
    text = certificates.client.read_text()
    begin = text.index("-----BEGIN CERTIFICATE")
    (tmp_path / "key").write_text(text[:begin])
    (tmp_path / "certificate").write_text(text[begin:])
    tls.server_context(tmp_path / "certificate", str(tmp_path / "key"))
    tls.client_context(certificates.ca, tmp_path / "certificate", tmp_path / "key")


def test_files_that_do_not_fit_are_an_error_at_once(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        tls.client_context(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="none"):
        tls.server_context(certificates.server, certificates.server, tmp_path / "none")
    with pytest.raises(UsageError, match="does not belong to the certificate"):
        tls.server_context(certificates.ca, certificates.server)
    with pytest.raises(UsageError, match=r"no key in .*: pass key=$"):
        tls.client_context(certificates.ca, certificates.ca)


def test_a_key_needs_its_certificate(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match=r"^key= without certificate=: pass the certificate too$"):
        tls.client_context(certificates.ca, key=certificates.client)


@pytest.mark.wire("W46")
def test_tls_1_2_has_only_the_ciphers_http2_allows(certificates: Certificates) -> None:
    for context in (certificates.client_context(), certificates.server_context()):
        for cipher in context.get_ciphers():
            assert cipher["protocol"] == "TLSv1.3" or (cipher["aead"] and cipher["name"].startswith("ECDHE-"))


ALTERNATIVE = (
    ("DNS", "a.test"),
    ("IP Address", "10.0.0.1"),
    ("IP Address", "FD00:0:0:0:0:0:0:1"),
    ("URI", "spiffe://fleet.test/device-7"),
    ("email", "me@a.test"),
    ("DirName", ((("commonName", "a directory"),),)),
    ("Registered ID", "10.0.0.2"),
    ("othername", "<unsupported>"),
    ("IP Address", "<invalid>"),
)
SUBJECT = ((("organizationName", "fleet"),), (("commonName", "device-7"),))


def test_a_certificate_names_whom_its_subject_alternative_names_say() -> None:
    names = tls._names({"subjectAltName": ALTERNATIVE, "subject": SUBJECT})
    assert names == ("a.test", "10.0.0.1", "fd00::1", "spiffe://fleet.test/device-7", "me@a.test")


def test_without_them_it_names_its_common_name() -> None:
    assert tls._names({"subject": SUBJECT}) == ("device-7",)


def test_no_verified_certificate_names_nobody() -> None:
    assert tls._names({}) == ()
