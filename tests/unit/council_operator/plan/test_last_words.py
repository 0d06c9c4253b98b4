import pytest

from council_operator.plan.last_words import MAX_WORDS, find_last_words, is_about_flags

USAGE = """                     [--enable-log-requests | --no-enable-log-requests]
                     [model_tag]
api_server.py: error: unrecognized arguments: --no-such-flag=1
"""

TRACEBACK = """(APIServer pid=1)   File "/usr/local/lib/transformers/utils/hub.py", line 595, in cached_files
(APIServer pid=1)     raise OSError(f"{e}") from e
(APIServer pid=1) OSError: /var/weights/x does not appear to have a file named config.json.
"""

LOGGED = """(EngineCore pid=7) ERROR 11-23 04:51:40 [core.py:946] ValueError: No available memory for the cache blocks.
(EngineCore pid=7) Process EngineCore:
"""

VALIDATION = """pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, max_model_len (9) is greater than the derived one
    For further information visit a page
"""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (USAGE, "api_server.py: error: unrecognized arguments: --no-such-flag=1"),
        (TRACEBACK, "OSError: /var/weights/x does not appear to have a file named config.json."),
        (LOGGED, "ValueError: No available memory for the cache blocks."),
        ("torch.OutOfMemoryError: CUDA out of memory.\nINFO done", "torch.OutOfMemoryError: CUDA out of memory."),
    ],
)
def test_the_last_line_that_tells_an_error_is_found(log: str, words: str) -> None:
    assert find_last_words(log) == words


def test_the_fields_that_are_at_fault_are_told_with_their_number() -> None:
    assert "validation error for ModelConfig Value error, max_model_len (9) is greater" in str(
        find_last_words(VALIDATION)
    )


@pytest.mark.parametrize("log", ["", "INFO: ready\n", "An Error occurred\n", "    raise ValueError(text)\n"])
def test_a_log_without_errors_has_no_last_words(log: str) -> None:
    assert find_last_words(log) is None


def test_they_are_short_whatever_the_server_writes() -> None:
    words = find_last_words(f"ValueError: {'x' * 2000}")
    assert words is not None
    assert len(words) == MAX_WORDS


def test_a_refused_flag_is_told_from_a_failure() -> None:
    assert is_about_flags(str(find_last_words(USAGE)))
    assert not is_about_flags(str(find_last_words(LOGGED)))
