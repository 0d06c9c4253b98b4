"""Why a call failed, in our words: a server's may repeat the question, and an exception may hold what is secret."""

import ssl
from urllib.parse import urlsplit

import aiohttp

from deliberation.protocol.tasks import ModelAddress

NOT_FOUND = 404


def explain_refusal(address: ModelAddress, status: int, body: bytes) -> str:
    """Return what a refusal means, in our words: the server's may repeat the question."""
    told = body[:10_000].lower()
    if b"context length" in told or b"context_length" in told:
        return (
            f"The question and the answer are too long for model {address.name}: shorten the context, lower the "
            "member's sampling.maxTokens, or raise the model's maxModelLen"
        )
    if status == NOT_FOUND:
        return f"The server of model {address.name} answers HTTP 404: check its URL and the name of the model"
    return f"The server of model {address.name} refuses the request with HTTP {status}"


def explain_connection(error: Exception) -> str:
    """Return why there is no connection, without what an exception may hold of a URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name is unknown"
        case aiohttp.ClientSSLError():
            return "TLS failed: does it speak https at that port?"
        case aiohttp.ClientConnectorError() | ConnectionError():
            return "nothing listens at its address, or a network policy is in the way"
        case _:
            return f"the connection failed ({type(error).__name__})"


def explain_certificate(address: ModelAddress, error: Exception) -> str:
    """Return why a server's certificate was refused, in OpenSSL's words, which hold host names at most."""
    parts = urlsplit(address.base_url)
    where = f"https://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "it cannot be verified"
    return f"the certificate of {where} is not trusted: {why}"
