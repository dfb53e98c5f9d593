"""Channels of ours to a server."""

import penstock
from tests.interop.standard.target import SERVER_NAME, Target


def connect(target: Target) -> penstock.Channel:
    """Make a channel to the server."""
    if target.certificates is None:
        return penstock.Channel(target.address)
    context = penstock.tls.client_context(ca=target.certificates.ca)
    return penstock.Channel(target.address, tls=context, authority=SERVER_NAME)
