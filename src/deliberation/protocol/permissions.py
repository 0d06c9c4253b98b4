"""What a runner may do on NATS, in the words of the server's configuration. The operator may do everything.

A runner reads and writes ledgers, takes the tasks that are addressed to it, and answers probes. It can neither make,
change nor purge a stream, nor see what another client is answered: every user has inboxes of its own.
"""

from typing import Any

from deliberation.protocol import streams, subjects

RUNNER_USER = "runner"


def inbox_prefix(user: str) -> str:
    """Return the prefix of all inboxes of one user: nobody else may listen there."""
    return f"_INBOX_{user}"


RUNNER: dict[str, Any] = {
    "publish": {
        "allow": [
            subjects.LEDGER,
            subjects.DEAD,
            subjects.HEARTBEATS,
            # Ask for the next task of a consumer that the operator made, and acknowledge it.
            f"$JS.API.CONSUMER.MSG.NEXT.{streams.TASKS.name}.*",
            f"$JS.ACK.{streams.TASKS.name}.>",
            # Read a ledger, and follow it through a consumer that ends with the connection.
            f"$JS.API.DIRECT.GET.{streams.LEDGER.name}",
            f"$JS.API.STREAM.INFO.{streams.LEDGER.name}",
            f"$JS.API.CONSUMER.CREATE.{streams.LEDGER.name}.*.{subjects.LEDGER}",
        ]
    },
    "subscribe": {"allow": [f"{inbox_prefix(RUNNER_USER)}.>", subjects.PROBES]},
    # Reply to a probe, once, wherever the operator waits for the answer.
    "allow_responses": True,
}
"""The `permissions` of the user "runner"."""
