import json

from image_build.recipes import MODEL_SETTINGS, REPOSITORY

TEMPLATE, GENERATION = ((REPOSITORY / setting).read_text() for setting in MODEL_SETTINGS)


def test_the_template_finds_the_question_where_the_prompts_put_it() -> None:
    prompts = REPOSITORY / "src/deliberation/prompts"
    assert 'f"[{part.title} {mark}]\\n{part.text}\\n[end {mark}]"' in (prompts / "parts.py").read_text()
    assert 'Part("question", task.question)' in (prompts / "shared.py").read_text()
    assert r"split('[question ', 1)" in TEMPLATE
    assert r"split(']\n', 1)[1].split('\n[end ', 1)[0]" in TEMPLATE


def test_the_template_leaves_replies_in_json_alone() -> None:
    assert "'one JSON object' not in text" in TEMPLATE
    templates = REPOSITORY / "src/deliberation/prompts/templates"
    asking = {file.stem for file in templates.glob("*.txt") if "one JSON object" in file.read_text()}
    assert asking == {"ballot", "boolean", "choice", "critique", "json", "number", "quantity", "repair"}


def test_a_blank_line_ends_the_answer_of_a_model_that_only_continues_text() -> None:
    assert json.loads(GENERATION)["eos_token_id"] == [1, 108]
