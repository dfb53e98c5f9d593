"""Files with certificates and keys, loaded into a context; whatever is wrong with one is said with its name."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import TypeAlias

from penstock.errors import UsageError

PathLike: TypeAlias = "str | os.PathLike[str]"

CERTIFICATE = re.compile(rb"-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----")
KEY = re.compile(rb"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----")
MISMATCHES = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}
"""OpenSSL's words for two files that are fine, each for itself."""


def load_own(context: ssl.SSLContext, certificate: PathLike, key: PathLike | None) -> None:
    """Load a certificate with its key, which is in the same file if `key` is `None`.

    Raises:
        OSError: A file cannot be read.
        UsageError: Or what it holds cannot be used.
    """
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise UsageError(_why_not(certificate, key, error)) from error
    except OSError as error:
        raise _named(error, certificate, certificate if key is None else key) from None


def load_trusted(context: ssl.SSLContext, path: PathLike) -> None:
    """Load certificates that vouch for peers.

    Raises:
        OSError: The file cannot be read.
        UsageError: Or what it holds cannot be used.
    """
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        msg = f"the certificates in {_name(path)} cannot be used: {error}"
        raise UsageError(msg if _holds(path, CERTIFICATE) else f"no certificate in {_name(path)}") from error
    except OSError as error:
        raise _named(error, path) from None


def _why_not(certificate: PathLike, key: PathLike | None, error: ssl.SSLError) -> str:
    """OpenSSL says "PEM lib" of nearly everything."""
    if not _holds(certificate, CERTIFICATE):
        return f"no certificate in {_name(certificate)}"
    if key is None and not _holds(certificate, KEY):
        return f"no key in {_name(certificate)}: pass key="
    if key is not None and not _holds(key, KEY):
        return f"no key in {_name(key)}"
    key_name = _name(certificate if key is None else key)
    if error.reason in MISMATCHES:
        return f"the key in {key_name} does not belong to the certificate in {_name(certificate)}"
    return f"the certificate in {_name(certificate)} and the key in {key_name} cannot be used: {error}"


def _named(error: OSError, *paths: PathLike) -> OSError:
    """The same error with the name of its file, which the ssl module leaves out."""
    for path in paths:
        try:
            Path(path).open("rb").close()
        except OSError as named:
            return named
    return error


def _holds(path: PathLike, block: re.Pattern[bytes]) -> bool:
    return block.search(Path(path).read_bytes()) is not None


def _name(path: PathLike) -> str:
    return repr(os.fspath(path))
