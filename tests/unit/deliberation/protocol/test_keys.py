"""Keys in the form of NATS. The expected texts come from nats-io/nkeys, which made them from the same seeds."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from deliberation.protocol.keys import KeyPair, Role, derive, parse_seed

SEED = bytes(range(32))
USER = KeyPair(Role.USER, SEED)


@pytest.mark.parametrize(
    ("role", "seed", "public"),
    [
        (
            Role.USER,
            "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y",
            "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK",
        ),
        (
            Role.ACCOUNT,
            "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI",
            "AAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QPZV",
        ),
        (
            Role.OPERATOR,
            "SOAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2AJA",
            "OAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QZVT",
        ),
    ],
)
def test_texts_are_those_of_nats(role: Role, seed: str, public: str) -> None:
    pair = KeyPair(role, SEED)
    assert (pair.seed_text, pair.public) == (seed, public)
    assert parse_seed(seed) == pair


@given(st.sampled_from(Role), st.binary(min_size=32, max_size=32))
def test_every_seed_is_read_back(role: Role, seed: bytes) -> None:
    assert parse_seed(KeyPair(role, seed).seed_text) == KeyPair(role, seed)


@pytest.mark.parametrize(
    "text", ["", "S", USER.public, USER.seed_text[:-1], USER.seed_text[:-1] + "F", "s" * 58, "!" * 58]
)
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^this is no seed of NATS, .* and begins with S$"):
        parse_seed(text)


def test_no_letter_is_lost_at_the_end() -> None:
    pairs = [KeyPair(Role.ACCOUNT, bytes([number]) * 32) for number in range(100)]
    assert {len(pair.public) for pair in pairs} == {56}
    assert {len(pair.seed_text) for pair in pairs} == {58}
    assert any(pair.public.endswith("X") for pair in pairs)


def test_signatures_are_those_of_ed25519() -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    public.verify(USER.sign(b"nonce"), b"nonce")
    with pytest.raises(InvalidSignature):
        public.verify(USER.sign(b"nonce"), b"other")


def test_each_secret_role_and_label_has_a_key_of_its_own() -> None:
    made = {derive(secret, role, label).seed for secret in (b"a", b"b") for role in Role for label in ("x", "y")}
    assert len(made) == 12
    assert derive(b"a", Role.USER, "x") == derive(b"a", Role.USER, "x")


def test_a_seed_is_never_shown() -> None:
    assert repr(USER) == "KeyPair(role=<Role.USER: 160>)"
