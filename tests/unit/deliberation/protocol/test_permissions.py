from deliberation.protocol.permissions import RUNNER, RUNNER_USER, inbox_prefix, runner_publishes, runner_subscribes


def test_a_runner_can_neither_make_nor_purge_nor_delete_a_stream() -> None:
    allowed = " ".join(RUNNER["publish"]["allow"])
    for verb in ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE"):
        assert f"$JS.API.{verb}" not in allowed
    assert "$JS.API.>" not in allowed


def test_a_runner_hears_only_what_is_meant_for_it() -> None:
    assert RUNNER["subscribe"]["allow"][0] == f"{inbox_prefix(RUNNER_USER)}.>" == "_INBOX_runner.>"


def test_a_runner_may_do_what_its_work_needs_in_its_namespace_and_no_more() -> None:
    assert runner_publishes("team-a") == [
        "council.v1.team-a.ledger.>",
        "council.v1.team-a.dead.>",
        "council.v1.team-a.heartbeat.*",
        "$JS.API.CONSUMER.MSG.NEXT.COUNCIL_TASKS.*",
        "$JS.ACK.COUNCIL_TASKS.>",
        "$JS.API.DIRECT.GET.COUNCIL_LEDGER",
        "$JS.API.STREAM.INFO.COUNCIL_LEDGER",
        "$JS.API.CONSUMER.CREATE.COUNCIL_LEDGER.*.council.v1.team-a.ledger.>",
    ]
    assert runner_subscribes("team-a") == ["_INBOX_runner.>", "council.v1.team-a.probe.*"]
