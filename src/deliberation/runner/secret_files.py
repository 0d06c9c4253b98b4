"""What calls of a model need beside its address, read from mounted volumes at the moment of use.

So a key or a certificate authority that was changed needs no restart: the kubelet brings it within about a minute.
"""

from pathlib import Path

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.chat import Access, ModelError
from deliberation.protocol.tasks import ModelAddress

CERTIFICATES = "certificates"
"""Folder beside that of the Secrets: `<ConfigMap>/<key>` below it is one bundle of certificate authorities."""

_LATE = "create it, and the runner sees it within about a minute"


def read_access(secrets_dir: Path, address: ModelAddress) -> Access:
    """Return what to call that model with.

    Raises:
        ModelError: SecretMissing or CABundleMissing, with a message that names the object and its key, and nothing of
            the content.
    """
    certificates_dir = secrets_dir.parent / CERTIFICATES
    return Access(
        _read(secrets_dir, "Secret", address.api_key_file, AbstentionReason.SECRET_MISSING),
        _read(certificates_dir, "ConfigMap", address.ca_bundle_file, AbstentionReason.CA_BUNDLE_MISSING),
    )


def _read(folder: Path, kind: str, place: str | None, reason: AbstentionReason) -> str | None:
    """Return the text that lies at the place, `<object>/<key>`, of a mounted kind of object; None without a place.

    Raises:
        ModelError: the place leads elsewhere, or nothing lies there.
    """
    if place is None:
        return None
    name, _, key = place.partition("/")
    if not all(part and part not in {".", ".."} and "/" not in part for part in (name, key)):
        raise ModelError(reason, "The place of what the model is called with is not of the form <object>/<key>")
    text = _find_text(folder / name / key)
    if not text:
        raise ModelError(
            reason,
            f"{kind} {name} has no readable key {key} in this namespace, or it has not reached the runner yet: {_LATE}",
        )
    return text


def _find_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
