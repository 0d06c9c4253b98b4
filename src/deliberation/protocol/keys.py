"""Ed25519 key pairs in the text form of NATS, all derived from one secret, so that none has to be kept.

The form (https://docs.nats.io/nats-concepts/security/jwt, "NKeys"): prefix byte, key, CRC-16/XMODEM with its low byte
first, all in base32 without padding. A seed has two prefix bytes, which hold its own mark and that of its role.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED_MARK = 18 << 3
_SEED_BYTES = 32
_TEXT_BYTES = 2 + _SEED_BYTES + 2


class Role(IntEnum):
    """What a key speaks for; the value is the prefix byte that makes its public key begin with O, A or U."""

    OPERATOR = 14 << 3
    ACCOUNT = 0
    USER = 20 << 3


@dataclass(frozen=True)
class KeyPair:
    """A key pair. Its seed never appears in `repr`."""

    role: Role
    seed: bytes = field(repr=False)

    @cached_property
    def public(self) -> str:
        """The public key: the name of an operator, an account or a user."""
        return _encode(bytes([self.role]) + self._private.public_key().public_bytes_raw())

    @property
    def seed_text(self) -> str:
        """The seed, as credentials files hold it."""
        return _encode(bytes([_SEED_MARK | self.role >> 5, (self.role & 31) << 3]) + self.seed)

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private.sign(message)

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def derive(secret: bytes, role: Role, label: str) -> KeyPair:
    """Return the key pair that a secret has for a label: HMAC-SHA256 is its seed."""
    return KeyPair(role, hmac.new(secret, f"nats/{role.name}/{label}".encode(), hashlib.sha256).digest())


def parse_seed(text: str) -> KeyPair:
    """Return the key pair of a seed in text form.

    Raises:
        ValueError: it is none, or was copied with a fault.
    """
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raw = b""
    if len(raw) != _TEXT_BYTES or raw[0] & 0xF8 != _SEED_MARK or text != _encode(raw[:-2]):
        raise ValueError("this is no seed of NATS, which has 58 letters and digits and begins with S")
    return KeyPair(Role((raw[0] & 7) << 5 | raw[1] >> 3), raw[2:-2])


def _encode(raw: bytes) -> str:
    check = binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw + check).decode().rstrip("=")
