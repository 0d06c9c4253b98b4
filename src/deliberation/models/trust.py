"""Whom a client trusts: the authorities of a bundle, or the machine's own when none is declared."""

import ssl
from collections import OrderedDict

MAX_CONTEXTS = 32
"""Most bundles kept at a time: one for each endpoint, and a few that were replaced."""


class NoCertificatesError(ValueError):
    """A bundle that holds no certificate in PEM."""


class Trust:
    """TLS contexts by the bundle that they were made of: a changed bundle takes effect at the next connection."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def get_context(self, ca_bundle: str | None) -> ssl.SSLContext | bool:
        """Return what aiohttp verifies servers with: a context that trusts the bundle alone, or True for its default.

        Raises:
            NoCertificatesError: the bundle holds no certificate.
        """
        if ca_bundle is None:
            return True
        context = self._contexts.get(ca_bundle)
        if context is None:
            context = _build_context(ca_bundle)
            self._contexts[ca_bundle] = context
        self._contexts.move_to_end(ca_bundle)
        while len(self._contexts) > MAX_CONTEXTS:
            self._contexts.popitem(last=False)
        return context


def _build_context(ca_bundle: str) -> ssl.SSLContext:
    """Return a context that trusts the bundle's certificates; around these it may hold comments in any language."""
    if "-----BEGIN CERTIFICATE-----" not in ca_bundle:
        raise NoCertificatesError
    try:
        return ssl.create_default_context(cadata=ca_bundle.encode("ascii", "ignore").decode())
    except ssl.SSLError:
        raise NoCertificatesError from None
