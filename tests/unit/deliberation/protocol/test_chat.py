from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.chat import ModelError
from deliberation.protocol.entries import Usage


def test_an_error_of_a_model_says_why_and_what_it_cost() -> None:
    error = ModelError(AbstentionReason.UNAUTHORIZED, "the server refused the key", Usage(calls=2))
    assert (error.reason, str(error), error.usage.calls) == ("Unauthorized", "the server refused the key", 2)
    assert error.message == str(error)


def test_an_error_before_any_answer_cost_nothing() -> None:
    assert ModelError(AbstentionReason.MODEL_UNAVAILABLE, "no route").usage == Usage()
