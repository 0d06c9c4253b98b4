import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.render import names

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_names_are_dns_labels_that_kuberay_accepts(content: dict[str, object]) -> None:
    for name in (names.server_name(content), names.runner_name(content)):
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
        assert len(name) <= 47


def test_equal_declarations_have_equal_names_whatever_the_order_of_their_keys() -> None:
    assert names.server_name({"a": 1, "b": [2]}) == names.server_name({"b": [2], "a": 1})


def test_another_declaration_has_another_name() -> None:
    assert names.server_name({"a": 1}) != names.server_name({"a": 2})


def test_the_digest_is_sha256_of_canonical_json() -> None:
    assert names.digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_server_is_reached_through_its_service() -> None:
    assert names.server_url("model-1", "team-a") == "http://model-1.team-a.svc:8000/v1"


@given(st.uuids(version=4), st.integers(0, 9), st.integers(1, 3))
def test_a_ray_job_tells_whose_it_is_and_which(uid: UUID, resumed: int, number: int) -> None:
    runner = names.own_runner_name(str(uid), resumed)
    ray_job = names.attempt_name(runner, number)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", ray_job)
    assert len(ray_job) <= 47
    assert names.find_attempt(runner, ray_job) == number
    assert names.find_attempt(names.own_runner_name(str(uid), resumed + 1), ray_job) is None


@pytest.mark.parametrize("other", ["d-0123456789", "d-0123456789-a", "d-0123456789-ax", "runner-0123456789", ""])
def test_a_name_of_another_kind_is_no_attempt(other: str) -> None:
    assert names.find_attempt("d-0123456789", other) is None
