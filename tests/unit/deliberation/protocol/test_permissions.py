from deliberation.protocol.permissions import RUNNER, RUNNER_USER, inbox_prefix


def test_a_runner_can_neither_make_nor_purge_nor_delete_a_stream() -> None:
    allowed = " ".join(RUNNER["publish"]["allow"])
    for verb in ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE"):
        assert f"$JS.API.{verb}" not in allowed
    assert "$JS.API.>" not in allowed


def test_a_runner_hears_only_what_is_meant_for_it() -> None:
    assert RUNNER["subscribe"]["allow"][0] == f"{inbox_prefix(RUNNER_USER)}.>" == "_INBOX_runner.>"
