"""Hypothesis strategies of every message, with any text that JSON can carry."""

import json
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import BaseModel

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType, ContextText, Criterion
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop, Topology
from deliberation.protocol.entries import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    LedgerEntry,
    Outcome,
    Proposal,
    Score,
    Stage,
    Start,
    Suspend,
    Synthesis,
    Usage,
    Verdict,
)
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.messages import Message
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task

AnyModel = TypeVar("AnyModel", bound=BaseModel)

labels = st.lists(st.text("ab0", min_size=1, max_size=3), min_size=1, max_size=3).map("-".join)
uids = st.uuids().map(str)
texts = st.text(max_size=20)
counts = st.integers(0, 2**40)
small = st.integers(0, 5)
seats = st.builds("{}-{}".format, labels, st.integers(0, 63))
reasons = st.sampled_from(AbstentionReason)


def build(kind: type[AnyModel], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[AnyModel]:
    """Return models with these fields alone. (`st.builds` would add the camelCase names of required fields.)"""
    return st.fixed_dictionaries(fields).map(kind.model_validate)


def fields_of(data: bytes) -> dict[str, Any]:
    """Return what a message on the wire says, by field."""
    body: dict[str, Any] = json.loads(data)
    return body


def tuples_of(items: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return tuples of at most three of the items."""
    return st.lists(items, min_size=least, max_size=3).map(tuple)


usages = build(
    Usage, calls=counts, prompt_tokens=counts, cached_tokens=counts, completion_tokens=counts, repeated_calls=small
)
addresses = build(
    ModelAddress,
    name=labels,
    base_url=texts,
    model_name=texts,
    api_key_file=st.none() | texts,
    revision=st.none() | texts,
    simulated=st.booleans(),
)
seat_tasks = build(SeatTask, id=seats, member=labels, role=texts, model=labels, instructions=texts)
tasks = build(
    Task,
    namespace=labels,
    deliberation_uid=uids,
    deliberation_name=labels,
    attempt=st.integers(1, 9),
    council_uid=uids,
    council_name=labels,
    question=st.text(min_size=1, max_size=20),
    context=tuples_of(build(ContextText, name=labels, text=st.text(min_size=1, max_size=20))),
    requirements=tuples_of(st.text(min_size=1, max_size=20)),
    criteria=tuples_of(build(Criterion, name=labels, weight_milli=st.integers(1, 1000))),
    answer=build(Answer, type=st.just(AnswerType.NUMBER), tolerance_milli=st.none() | st.integers(0, 9)),
    strategy=st.sampled_from(ResolvedStrategy),
    rounds=st.integers(1, 3),
    topology=st.sampled_from(Topology),
    keep_if_majority=st.booleans(),
    samples=st.integers(1, 3),
    aggregation=st.sampled_from(Aggregation),
    stop=st.sampled_from(Stop),
    judging=st.sampled_from(Judging),
    orders=st.integers(1, 2),
    synthesiser=st.none() | seats,
    budget_tokens=st.none() | st.integers(1, 2**40),
    seats=tuples_of(seat_tasks, 1),
    models=tuples_of(addresses, 1),
    quorum=st.integers(1, 64),
    started_at_ms=counts,
    timeout_ms=counts,
)

scores = build(Score, proposal=seats, criteria=st.dictionaries(labels, st.integers(1, 5), max_size=3))
proposals = build(Proposal, seat=seats, round=small, sample=small, answer=texts, rationale=texts, usage=usages)
critiques = build(Critique, seat=seats, round=small, texts=st.dictionaries(seats, texts, max_size=3), usage=usages)
syntheses = build(Synthesis, seat=seats, answer=texts, rationale=texts, usage=usages)
ballots = build(Ballot, judge=seats, round=small, order=small, scores=tuples_of(scores), rationale=texts, usage=usages)
abstentions = build(
    Abstention, seat=seats, stage=st.sampled_from(Stage), round=small, turn=small, reason=reasons, usage=usages
)
verdicts = build(
    Verdict, number=small, outcome=st.sampled_from(Outcome), counted=tuples_of(texts), decided_at_ms=counts
)
starts = build(Start, number=small, runner=labels, at_ms=counts)
suspensions = st.builds(Suspend, number=st.integers(0, 3))
entries: st.SearchStrategy[LedgerEntry] = st.one_of(
    starts, proposals, critiques, ballots, syntheses, abstentions, st.just(Cancel()), suspensions, verdicts
)

heartbeats = build(Heartbeat, runner=labels, running=counts, seats=st.dictionaries(uids, counts, max_size=3))
probe_requests = build(ProbeRequest, models=tuples_of(addresses))
probe_results = build(ProbeResult, name=labels, reason=st.none() | texts, message=texts)
probe_replies = build(ProbeReply, results=tuples_of(probe_results))

messages: st.SearchStrategy[Message] = st.one_of(tasks, heartbeats, probe_requests, probe_replies)
