"""What calls of a model need beside its address, read from mounted volumes at the moment of use.

So a key or a certificate authority that was changed needs no restart: the kubelet brings it within about a minute.
"""

from pathlib import Path

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.chat import Access, ModelError
from deliberation.protocol.messages import ModelAddress

CERTIFICATES = "certificates"
"""Folder beside that of the Secrets: `<ConfigMap>/<key>` below it is one bundle of certificate authorities."""

_LATE = "create it, and the runner sees it within about a minute"


def read_access(secrets_dir: Path, address: ModelAddress) -> Access:
    """Return what to call that model with.

    Raises:
        ModelError: SecretMissing or CABundleMissing, with a message that names the object and its key, and nothing of
            the content.
    """
    return Access(_read_api_key(secrets_dir, address), _read_ca_bundle(secrets_dir.parent / CERTIFICATES, address))


def _read_api_key(secrets_dir: Path, address: ModelAddress) -> str | None:
    if address.api_key_file is None:
        return None
    secret, key, text = _read(secrets_dir, address.api_key_file, AbstentionReason.SECRET_MISSING)
    if not text:
        raise ModelError(
            AbstentionReason.SECRET_MISSING,
            f"Secret {secret} has no readable key {key} in this namespace, or it has not reached the runner yet: "
            f"{_LATE}",
        )
    return text


def _read_ca_bundle(certificates_dir: Path, address: ModelAddress) -> str | None:
    if address.ca_bundle_file is None:
        return None
    config_map, key, text = _read(certificates_dir, address.ca_bundle_file, AbstentionReason.CA_BUNDLE_MISSING)
    if not text:
        raise ModelError(
            AbstentionReason.CA_BUNDLE_MISSING,
            f"ConfigMap {config_map} has no readable key {key} in this namespace, or it has not reached the runner "
            f"yet: {_LATE}",
        )
    return text


def _read(folder: Path, place: str, reason: AbstentionReason) -> tuple[str, str, str]:
    """Return the object's name, its key, and the text that lies there; an empty one when there is none.

    Raises:
        ModelError: the place leads elsewhere.
    """
    name, _, key = place.partition("/")
    if not all(part and part not in {".", ".."} and "/" not in part for part in (name, key)):
        raise ModelError(reason, "The place of what the model is called with is not of the form <object>/<key>")
    try:
        return name, key, (folder / name / key).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return name, key, ""
