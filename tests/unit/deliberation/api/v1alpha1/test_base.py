import pytest
from pydantic import ConfigDict, ValidationError

from deliberation.api.v1alpha1.base import Condition, Model, Rule, StatusModel, mebibytes, rules


class Wish(Model):
    model_config = ConfigDict(json_schema_extra=rules(Rule("self.longName > 0", "give more")))
    long_name: int = 1


class Report(StatusModel):
    long_name: int = 1
    note: str | None = None


def test_fields_are_camel_case_on_the_wire() -> None:
    assert Wish.model_validate({"longName": 2}).long_name == 2


def test_d11_a_field_that_nobody_honours_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Wish.model_validate({"rounds": 3})


def test_what_a_user_wrote_cannot_be_changed_in_memory() -> None:
    field = "long_name"
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Wish(), field, 2)


def test_the_status_of_a_newer_operator_can_be_read() -> None:
    assert Report.model_validate({"longName": 2, "mood": "good"}) == Report(long_name=2)


def test_absent_parts_of_a_status_are_left_out() -> None:
    assert Report().to_json() == {"longName": 1}


def test_a_rule_says_only_what_it_has() -> None:
    assert Rule("self.a > 0", "give a").to_json() == {"rule": "self.a > 0", "message": "give a"}


def test_a_rule_points_to_the_field_and_forbids_the_change() -> None:
    body = Rule("self.a == oldSelf.a", "a stays", field="a", forbids_change=True).to_json()
    assert body["fieldPath"] == ".a"
    assert body["reason"] == "FieldValueForbidden"


def test_a_model_carries_its_rules_in_its_schema() -> None:
    assert Wish.model_json_schema()["x-kubernetes-validations"] == [
        {"rule": "self.longName > 0", "message": "give more"}
    ]


def test_a_condition_has_the_shape_of_kubernetes() -> None:
    condition = Condition(type="Ready", status="True", reason="Ready", last_transition_time="2026-01-01T00:00:00Z")
    assert condition.to_json() == {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 0,
    }


@pytest.mark.parametrize(("quantity", "mib"), [("512Mi", 512), ("12Gi", 12_288), ("1Ti", 1_048_576)])
def test_quantities_are_powers_of_two(quantity: str, mib: int) -> None:
    assert mebibytes(quantity) == mib
