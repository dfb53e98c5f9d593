"""What a context must allow before it is used."""

import ssl
import warnings

import pytest

from penstock import UsageError, _tls_context, tls
from tests.certificates import Certificates


def with_minimum(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Let it speak an older version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
    return context


def test_the_context_that_was_given_is_used_and_forbids_renegotiation(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    assert _tls_context.for_client(client, "localhost") is client
    assert _tls_context.for_server(server) is server
    assert client.options & server.options & ssl.OP_NO_RENEGOTIATION


def test_true_is_a_client_that_verifies() -> None:
    assert _tls_context.for_client(True, "localhost").verify_mode == ssl.CERT_REQUIRED


def test_a_context_of_the_other_side_is_a_mistake(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match=r"a client needs a context for its side: ssl\.PROTOCOL_TLS_CLIENT"):
        _tls_context.for_client(certificates.server_context(), "localhost")
    with pytest.raises(UsageError, match=r"a server needs a context for its side: ssl\.PROTOCOL_TLS_SERVER"):
        _tls_context.for_server(certificates.client_context())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.MINIMUM_SUPPORTED])
def test_a_version_below_1_2_is_a_mistake(certificates: Certificates, version: ssl.TLSVersion) -> None:
    with pytest.raises(UsageError, match=f"minimum_version is {version.name}"):
        _tls_context.for_client(with_minimum(certificates.client_context(), version), "localhost")
    with pytest.raises(UsageError, match=f"minimum_version is {version.name}"):
        _tls_context.for_server(with_minimum(certificates.server_context(), version))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_1_2_and_above_are_well(certificates: Certificates, version: ssl.TLSVersion) -> None:
    client = with_minimum(certificates.client_context(), version)
    assert _tls_context.for_client(client, "localhost") is client
    server = with_minimum(certificates.server_context(), version)
    assert _tls_context.for_server(server) is server


def test_what_is_no_context_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"tls= takes an ssl\.SSLContext, not 'cert\.pem'"):
        _tls_context.for_server("cert.pem")  # type: ignore[arg-type]  # what mypy refuses
    with pytest.raises(UsageError, match=r"tls= takes an ssl\.SSLContext"):
        _tls_context.for_client("cert.pem", "localhost")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", ".test"])
def test_a_name_no_server_can_have_is_a_mistake(certificates: Certificates, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a TLS server"):
        _tls_context.for_client(certificates.client_context(), name)


def test_a_server_without_a_certificate_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no certificate"):
        _tls_context.for_server(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_a_server_that_chooses_its_certificate_by_the_clients_name_needs_none_of_its_own() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _session, _name, _context: None
    assert _tls_context.for_server(context) is context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_for_certificates_is_well_in_each_version(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = tls.server_context(certificates.server, certificates.server, client_ca=certificates.ca)
    context.minimum_version = context.maximum_version = version
    assert _tls_context.for_server(context) is context


def test_a_server_may_insist_on_a_cipher_that_is_not_everybodys(certificates: Certificates) -> None:
    context = certificates.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-CCM")
    assert _tls_context.for_server(context) is context
