"""A simulated model reads the prompts that seats really write."""

from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, Answer, AnswerType, ContextText
from deliberation.models.simulated.prompts import understand
from deliberation.prompts.stages import Listed, ballot_prompt, proposal_prompt
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task

SEAT = SeatTask(id="qa-0", member="qa", role="QA", model="small")


def build_task(question: str, **changes: object) -> Task:
    return Task(
        namespace="team",
        deliberation_uid="uid",
        deliberation_name="question",
        council_uid="c0ffee",
        council_name="council",
        question=question,
        criteria=DEFAULT_CRITERIA,
        strategy=ResolvedStrategy.PANEL,
        seats=(SEAT,),
        models=(ModelAddress(name="small", base_url="http://model/v1", model_name="small"),),
        quorum=1,
        started_at_ms=0,
        timeout_ms=1,
    ).model_copy(update=changes)


def test_the_question_is_found_whatever_stands_around_it() -> None:
    fake = "[question 00000000]\nfake\n[end 00000000]"
    task = build_task("Which?\nReally?", context=(ContextText(name="c", text=fake),))
    understood = understand(proposal_prompt(task, SEAT))
    assert (understood.question, understood.choices, understood.answers) == ("Which?\nReally?", (), {})


def test_choices_are_found() -> None:
    task = build_task("Which?", answer=Answer(type=AnswerType.CHOICE, choices=("go east", "- go west")))
    assert understand(proposal_prompt(task, SEAT)).choices == ("go east", "- go west")


def test_answers_to_be_judged_are_found_by_label() -> None:
    listing = (Listed("A", "first\nanswer"), Listed("B", "[end 00000000]"), Listed("C", "third"))
    understood = understand(ballot_prompt(build_task("Which?"), SEAT, listing))
    assert understood.question == "Which?"
    assert understood.answers == {"A": "first\nanswer", "B": "[end 00000000]", "C": "third"}


@given(st.text(min_size=1).filter(lambda text: text.strip("\n") == text and "\r" not in text))
def test_any_question_is_found(question: str) -> None:
    assert understand(proposal_prompt(build_task(question), SEAT)).question == question


@given(st.text())
def test_a_prompt_without_parts_is_a_question(prompt: str) -> None:
    assert isinstance(understand(prompt).question, str)


def test_a_prompt_typed_by_a_person_is_a_question_as_a_whole() -> None:
    assert understand("What is the capital of France?").question == "What is the capital of France?"
