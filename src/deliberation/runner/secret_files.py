"""API keys of models, read from mounted Secrets at the moment of use, so that a rotated key needs no restart."""

from pathlib import Path

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.chat import ModelError
from deliberation.protocol.messages import ModelAddress


def read_api_key(secrets_dir: Path, address: ModelAddress) -> str | None:
    """Return the key to ask that model with, or None when it takes none.

    Raises:
        ModelError: SecretMissing, with a message that names the Secret and its key, and nothing of the content.
    """
    if address.api_key_file is None:
        return None
    secret, _, key = address.api_key_file.partition("/")
    if not all(part and part not in {".", ".."} and "/" not in part for part in (secret, key)):
        raise ModelError(AbstentionReason.SECRET_MISSING, "The place of the API key is not of the form <secret>/<key>")
    try:
        text = (secrets_dir / secret / key).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise ModelError(
            AbstentionReason.SECRET_MISSING,
            f"Secret {secret} has no readable key {key} in this namespace, or it has not reached the runner yet: "
            "create it, and the runner sees it within about a minute",
        )
    return text
