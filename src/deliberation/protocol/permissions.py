"""What a runner may do on NATS, in the words of the server's configuration. The operator may do everything.

A runner reads and writes ledgers, takes the tasks that are addressed to it, and answers probes. It can neither make,
change nor purge a stream, nor see what another client is answered: every user has inboxes of its own.

This alone does not part namespaces that share an account: JetStream answers wherever a request says, so whoever may
ask it anything can have it write to any subject of the account. Hence each namespace has an account
(`protocol.authority`); on a NATS with passwords all namespaces share one.
"""

from typing import Any

from deliberation.protocol import streams, subjects

RUNNER_USER = "runner"
OPERATOR_USER = "operator"

RESPONSE_SECONDS = 120
"""How long after a probe its answer is let through."""


def inbox_prefix(user: str) -> str:
    """Return the prefix of all inboxes of one user: nobody else may listen there."""
    return f"_INBOX_{user}"


def runner_publishes(namespace: str) -> list[str]:
    """Return the subjects that a runner of the namespace may publish to; `*` stands for any namespace."""
    return [
        subjects.within(subjects.LEDGER, namespace),
        subjects.within(subjects.DEAD, namespace),
        subjects.within(subjects.HEARTBEATS, namespace),
        # Ask for the next task of a consumer that the operator made, and acknowledge it.
        f"$JS.API.CONSUMER.MSG.NEXT.{streams.TASKS.name}.*",
        f"$JS.ACK.{streams.TASKS.name}.>",
        # Read a ledger, and follow it through a consumer that ends with the connection.
        f"$JS.API.DIRECT.GET.{streams.LEDGER.name}",
        f"$JS.API.STREAM.INFO.{streams.LEDGER.name}",
        f"$JS.API.CONSUMER.CREATE.{streams.LEDGER.name}.*.{subjects.within(subjects.LEDGER, namespace)}",
    ]


def runner_subscribes(namespace: str) -> list[str]:
    """Return the subjects that a runner of the namespace may subscribe to; `*` stands for any namespace."""
    return [f"{inbox_prefix(RUNNER_USER)}.>", subjects.within(subjects.PROBES, namespace)]


RUNNER: dict[str, Any] = {
    "publish": {"allow": runner_publishes("*")},
    "subscribe": {"allow": runner_subscribes("*")},
    # Reply to a probe, once, wherever the operator waits for the answer.
    "allow_responses": True,
}
"""The `permissions` of the user "runner" on a NATS with passwords."""
