from council_operator.render import labels
from fakes.bodies import council, deliberation


def test_owner_references_let_councils_share_and_go_in_any_order() -> None:
    owner = labels.owner_reference(council(name="a", uid="u1"))
    assert owner == {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Council",
        "name": "a",
        "uid": "u1",
        "controller": False,
        "blockOwnerDeletion": False,
    }


def test_each_council_applies_under_its_own_name() -> None:
    assert labels.field_manager(council(uid="u1")) == "council-u1"


def test_the_spec_digest_does_not_depend_on_who_owns() -> None:
    bodies = [
        labels.seal({**labels.child("v1", "Service", "x", council(uid=uid), {}), "spec": {"a": 1}})
        for uid in ("u1", "u2")
    ]
    digests = {labels.annotation(body, labels.SPEC_DIGEST) for body in bodies}
    assert len(digests) == 1
    assert None not in digests


def test_the_spec_digest_changes_with_the_content() -> None:
    child = labels.child("v1", "Service", "x", council(), {})
    one, two = (labels.seal({**child, "spec": {"a": number}}) for number in (1, 2))
    assert labels.annotation(one, labels.SPEC_DIGEST) != labels.annotation(two, labels.SPEC_DIGEST)


def test_a_child_without_owners_or_annotations_is_nobodys() -> None:
    assert not labels.is_owned_by({"metadata": {"name": "x"}}, "u1")
    assert labels.annotation({"metadata": {"name": "x"}}, labels.SPEC_DIGEST) is None


def test_a_deliberation_owns_what_it_alone_needs() -> None:
    owner = labels.owner_reference(deliberation("q1"))
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Deliberation", "q1", "uid-q1")
    assert labels.field_manager(deliberation("q1")) == "deliberation-uid-q1"
    assert labels.deliberation_selector("uid-q1") == "councils.dev/deliberation=uid-q1"
