"""What a status says, told to a person. Pure: from bodies to text."""

import textwrap
from typing import Any

from demonstration.kubectl import Body

WIDTH = 100
FINISHED = frozenset({"Succeeded", "Failed", "Cancelled"})
SHOWN_CONDITIONS = ("ModelsAvailable", "BusReady", "RunnerReady", "Ready")


def printable(text: str) -> str:
    """Return `text` without anything that could steer a terminal: models write what they like."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def describe_council(body: Body) -> str:
    """Return one line on how far a Council is: the first condition that does not hold yet, or that all do."""
    status = body.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    for kind in SHOWN_CONDITIONS:
        condition = conditions.get(kind)
        if condition and condition["status"] != "True":
            return printable(f"{kind}: {condition['reason']}: {condition.get('message', '')}".rstrip(": "))
    if "Ready" not in conditions:
        return "not seen by the operator yet"
    marked = ", simulated" if status.get("simulated") else ""
    return f"Ready: models {status.get('modelCount', '?')}, seats {status.get('seatCount', '?')}{marked}"


def describe_progress(body: Body) -> str:
    """Return one line on how far a Deliberation is."""
    status = body.get("status", {})
    phase = status.get("phase", "Pending")
    progress = status.get("progress")
    if not progress:
        return str(phase)
    counts = f"{progress.get('proposals', 0)} of {progress.get('expected', 0)} proposals"
    if progress.get("ballots"):
        counts += f", {progress['ballots']} ballots"
    if progress.get("abstentions"):
        counts += f", {progress['abstentions']} abstentions"
    return f"{phase}: {counts}"


def is_finished(body: Body) -> bool:
    """Return whether a Deliberation has come to its end."""
    return body.get("status", {}).get("phase") in FINISHED


def tell(body: Body) -> str:
    """Return a finished Deliberation as a person wants to read it."""
    status = body["status"]
    parts = [
        _question(body),
        _answer(status),
        _ranking(status),
        _votes(status),
        _agreement(status),
        _cost(status),
        _origin(status),
    ]
    return "\n\n".join(part for part in parts if part)


def _question(body: Body) -> str:
    return "Question\n" + _wrap(body["spec"]["question"])


def _answer(status: Body) -> str:
    result = status.get("result")
    if not result:
        reasons = [c for c in status.get("conditions", []) if c["type"] == "Succeeded"]
        why = f"{reasons[0]['reason']}: {reasons[0].get('message', '')}" if reasons else status.get("phase", "")
        return "No answer\n" + _wrap(why)
    strategy = status.get("strategy", {})
    tied = "; another proposal did as well" if result.get("tied") else ""
    source = f"{result.get('proposalId', '?')}, by {strategy.get('resolved', '?')} ({strategy.get('reason', '')}){tied}"
    simulated = "\n  SIMULATED: a model only pretended, the answer means nothing." if status.get("simulated") else ""
    return f"Answer of {source}{simulated}\n" + _wrap(result["answer"])


def _ranking(status: Body) -> str:
    rows = [
        (
            f"{proposal['rank']}{'=' if proposal.get('tiedWith') else ''}",
            proposal["seat"],
            _milli(proposal.get("scoreMilli"), sign=True),
            _milli(proposal.get("stderrMilli")),
            "  ".join(f"{c['name']} {_milli(c['meanMilli'])}" for c in proposal.get("criteria", [])),
            str(proposal.get("tokens", 0)),
            printable(proposal["answer"]).replace("\n", " ").strip()[:44],
        )
        for proposal in status.get("proposals", [])
    ]
    if not rows:
        return ""
    return "Proposals, best first\n" + _table(
        ("RANK", "SEAT", "SCORE", "±", "CRITERIA (1 to 5)", "TOKENS", "BEGINS"), rows
    )


def _votes(status: Body) -> str:
    votes = status.get("votes", {})
    lines = [
        f"  {count['seats']} {'seat' if count['seats'] == 1 else 'seats'}: {printable(count['answer'])}"
        for count in votes.get("counts", [])
    ]
    lines += [
        f"  {a['seat']} abstained ({a['stage']}, {a['reason']}) {printable(a.get('message', ''))}".rstrip()
        for a in votes.get("abstentions", [])
    ]
    return "Votes\n" + "\n".join(lines) if lines else ""


def _agreement(status: Body) -> str:
    lines = []
    if summary := status.get("agreement", {}).get("summary"):
        lines.append(f"  Agreement: {printable(summary)}")
    lines += [f"  Warning: {printable(warning)}" for warning in status.get("warnings", [])]
    return "Reading it\n" + "\n".join(lines) if lines else ""


def _cost(status: Body) -> str:
    usage = status.get("usage")
    if not usage:
        return ""
    stages = ", ".join(f"{stage['name']} {stage.get('calls', 0)}" for stage in usage.get("byStage", []))
    read = f"{usage.get('promptTokens', 0)} tokens read ({usage.get('cachedTokens', 0)} from cache)"
    lines = [
        f"  {usage.get('calls', 0)} model calls{f' ({stages})' if stages else ''}",
        f"  {read}, {usage.get('completionTokens', 0)} written",
    ]
    if (wall := usage.get("wallMilliseconds")) is not None:
        lines.append(f"  {wall / 1000:.1f} s from admission to verdict")
    return "Cost\n" + "\n".join(lines)


def _origin(status: Body) -> str:
    record = status.get("reproducibility")
    if not record:
        return ""
    models = ", ".join(
        f"{model['model']}{' (simulated)' if model.get('simulated') else ''}" for model in record.get("models", [])
    )
    return (
        "To compare it with another run\n"
        f"  seed {record.get('seed')}, prompt sha256 {record.get('promptSha256', '')[:16]}, "
        f"engine {record.get('engineVersion')}, models {printable(models)}"
    )


def _milli(value: int | None, *, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:+.2f}" if sign else f"{value / 1000:.2f}"


def _wrap(text: str) -> str:
    lines = printable(text).strip().split("\n")
    return "\n".join(
        textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="  ") if line.strip() else ""
        for line in lines
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Return rows below their heads, without columns that hold nothing."""
    columns = [column for column in zip(head, *rows, strict=True) if any(cell not in {"", "-"} for cell in column[1:])]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]
    return "\n".join(lines)
