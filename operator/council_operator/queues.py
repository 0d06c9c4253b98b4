"""The lines in which Deliberations wait, one for each Council, kept up to date event by event.

All of it is a cache: of the watch, and of the tasks that were seen on the bus. An event costs time that grows with the
logarithm of a line's length, so that thousands may wait.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from council_operator.loops import Key
from council_operator.plan.observed import Runs, Turn
from council_operator.plan.settings import RenderSettings
from council_operator.plan.turns import (
    STEPS,
    Line,
    Stand,
    Terms,
    Ticket,
    admitted_ms,
    choose,
    read_stand,
    read_terms,
    show_position,
    was_looked_at,
    write_ticket,
)
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.protocol.health import Heartbeat

Body = dict[str, Any]
ROLL_CALL = "RollCall"
"""Kind of the keys by which a namespace's lines are opened; their name is empty."""

Newcomer = tuple[str, str]
"""When a Deliberation was created, and its name: the order in which newcomers find a place to wait."""


@dataclass(eq=False)
class _Entry:
    """One Deliberation.

    A newcomer may still be refused; one `was_looked_at` when it asked for its turn. `on_bus` is where the bus says that
    it stands, which a status may take a moment to say, too. `shown` is the position that it was told, None from when it
    is out of date.
    """

    uid: str
    council: Key
    ticket: Ticket
    stand: Stand = Stand.ASIDE
    on_bus: Stand | None = None
    is_newcomer: bool = False
    was_looked_at: bool = False
    is_untaken: bool = False
    shown: int | None = None
    refused_by: int | None = None


@dataclass
class _Line:
    """One Council's line, as it is kept. `terms` is None while there is no Council that can be carried out."""

    uid: str = ""
    terms: Terms | None = None
    waiting: list[Ticket] = field(default_factory=list)
    newcomers: list[Newcomer] = field(default_factory=list)
    running: int = 0
    untaken: int = 0
    last_turn_ms: int = 0

    def offer(self, strained: frozenset[str]) -> Sequence[Ticket]:
        """Return those who may begin if there are places. Where models keep calls waiting, that is one at a time."""
        if self.terms is None or not self.terms.is_open:
            return ()
        return self.waiting[: max(0, 1 - self.running)] if self.uid in strained else self.waiting


class Queues:
    """Tells each Deliberation its turn, and wakes whose turn has come or whose shown position has changed.

    Nobody's turn comes before its namespace is open: who sees a part of the waiting only, would admit the wrong ones,
    and who has not asked the bus, too many: an operator may have been killed between a task and the status that tells
    of it.
    """

    def __init__(self, wake: Callable[[Key], None], settings: RenderSettings) -> None:
        self._wake = wake
        self._settings = settings
        self._entries: dict[Key, _Entry] = {}
        self._lines: dict[Key, _Line] = defaultdict(_Line)
        self._sharers: dict[tuple[str, str], set[Key]] = defaultdict(set)
        self._strained: dict[tuple[str, str], frozenset[str]] = {}
        self._called: dict[tuple[str, str], set[Key]] = {}
        self._are_all_known = False
        self._open: set[str] = set()

    def call_roll(self) -> None:
        """Have the bus asked who was admitted, wherever nobody's turn comes yet: all that the cluster has is known."""
        self._are_all_known = True
        for namespace in self.list_known().keys() - self._open:
            self._wake(Key(ROLL_CALL, namespace, ""))

    def open(self, namespace: str) -> None:
        """Begin to admit: all that there was is known. Who went since then is found out by looking at all."""
        self._open.add(namespace)
        for key, entry in self._entries.items():
            if key.namespace == namespace and entry.stand is not Stand.ASIDE:
                self._wake(key)

    def council_changed(self, key: Key, body: Body | None) -> None:
        """Take a Council's terms over; None when it is gone."""
        line = self._lines[key]
        before, line.terms = line.terms, read_terms(body, self._settings) if body else None
        line.uid = body["metadata"]["uid"] if body else ""
        if before == line.terms:
            return
        for terms in (before, line.terms):
            if terms:
                self._sharers[key.namespace, terms.runner].discard(key)
        if line.terms:
            self._sharers[key.namespace, line.terms.runner].add(key)
        for runner in {terms.runner for terms in (before, line.terms) if terms}:
            self._call(key.namespace, runner)

    def runner_beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Let no more begin of Councils whose models keep calls waiting: there priority would not count."""
        strained = frozenset(heartbeat.strained)
        if strained != self._strained.get((namespace, heartbeat.runner), frozenset()):
            self._strained[namespace, heartbeat.runner] = strained
            self._call(namespace, heartbeat.runner)

    def deliberation_changed(self, key: Key, body: Body) -> None:
        """Move a Deliberation to where it stands by its own account."""
        uid, ticket = body["metadata"]["uid"], write_ticket(body)
        entry = self._entries.get(key)
        if entry is None or (entry.uid, entry.ticket) != (uid, ticket):
            self.forget(key)
            council = Key("Council", key.namespace, body["spec"]["councilRef"]["name"])
            entry = self._entries[key] = _Entry(uid, council, ticket, is_newcomer=not was_looked_at(body))
        line = self._lines[entry.council]
        line.last_turn_ms = max(line.last_turn_ms, admitted_ms(body))
        is_untaken = body.get("status", {}).get("phase") not in {Phase.DELIBERATING, Phase.RANKING}
        self._move(entry, _weigh(entry, read_stand(body)), is_untaken=is_untaken)
        if was_looked_at(body):
            self._receive(entry)
        if self._are_all_known and key.namespace not in self._open:
            self._wake(Key(ROLL_CALL, key.namespace, ""))

    def forget(self, key: Key) -> None:
        """Strike a Deliberation off: it is gone."""
        entry = self._entries.get(key)
        if entry:
            self._move(entry, Stand.ASIDE)
            del self._entries[key]

    def note_run(self, key: Key, started_ms: int, *, is_over: bool) -> None:
        """Take it from the bus that a Deliberation was admitted, or is over, before its status says so."""
        entry = self._entries.get(key)
        if entry is None or (entry.stand is Stand.ASIDE and not is_over):
            return
        line = self._lines[entry.council]
        line.last_turn_ms = max(line.last_turn_ms, started_ms)
        entry.on_bus = Stand.ASIDE if is_over else Stand.ADMITTED
        self._move(entry, entry.on_bus, is_untaken=entry.is_untaken or entry.stand is Stand.WAITING)
        self._receive(entry)

    def put_aside(self, key: Key) -> None:
        """Let others go first: a pass over this one failed for a reason of its own, so that it would block its line."""
        entry = self._entries.get(key)
        if entry and entry.stand is Stand.WAITING:
            self._move(entry, Stand.ASIDE)

    def look_up(self, key: Key) -> Turn:
        """Return a Deliberation's turn. The first look decides whether the line takes a newcomer in, or is full.

        A newcomer for whom there may be no room is told only when those before it have been looked at: one of them
        may wait no more.
        """
        entry = self._entries.get(key)
        if entry is None or key.namespace not in self._open:
            return Turn(is_decided=False, is_next=False)
        if entry.is_newcomer and entry.stand is Stand.WAITING:
            entry.was_looked_at = True
            self._decide_on(entry)
            self._decide_on_next(entry.council)
            if entry.is_newcomer:
                return Turn(is_decided=False, is_next=False)
        if entry.refused_by is not None:
            return Turn(is_next=False, most_waiting=entry.refused_by)
        if entry.stand is not Stand.WAITING:
            return Turn(is_next=self._is_next(key, entry))
        line = self._lines[entry.council]
        entry.shown = show_position(bisect_left(line.waiting, entry.ticket) + 1) if line.terms else None
        return Turn(is_next=self._is_next(key, entry), position=entry.shown)

    def list_waiting(self, namespace: str) -> dict[str, Key]:
        """Return who waits in a namespace, by uid."""
        waiting = ((key, entry) for key, entry in self._entries.items() if entry.stand is Stand.WAITING)
        return {entry.uid: key for key, entry in waiting if key.namespace == namespace}

    def runs_of(self, council: Key) -> Runs:
        """Return the runs of a Council."""
        line = self._lines[council]
        return Runs(line.running, line.untaken)

    def list_known(self) -> dict[str, frozenset[str]]:
        """Return the uids of the Deliberations by namespace, also for the namespaces that have Councils alone."""
        known: dict[str, set[str]] = {council.namespace: set() for council in self._lines}
        for key, entry in self._entries.items():
            known.setdefault(key.namespace, set()).add(entry.uid)
        return {namespace: frozenset(uids) for namespace, uids in known.items()}

    def _decide_on(self, entry: _Entry) -> None:
        """Take a newcomer in, unless as many as may wait were taken in, or are newcomers from before."""
        line = self._lines[entry.council]
        taken_in = len(line.waiting) - len(line.newcomers)
        newcomers_before = bisect_left(line.newcomers, _arrival(entry.ticket))
        if line.terms is None or taken_in + newcomers_before < line.terms.max_waiting:
            _strike(entry, line)
        elif newcomers_before == 0:
            _strike(entry, line)
            entry.refused_by = line.terms.max_waiting
            self._move(entry, Stand.ASIDE)

    def _decide_on_next(self, council: Key) -> None:
        """Decide on those who asked already, as far as nobody before them is undecided."""
        newcomers = self._lines[council].newcomers
        while newcomers:
            key = Key("Deliberation", council.namespace, newcomers[0][1])
            entry = self._entries[key]
            if not entry.was_looked_at:
                return
            self._decide_on(entry)
            self._wake(key)

    def _receive(self, entry: _Entry) -> None:
        """Take in whoever the operator has reported on before."""
        if entry.is_newcomer and entry.stand is Stand.WAITING:
            _strike(entry, self._lines[entry.council])
            self._decide_on_next(entry.council)
        entry.is_newcomer = False

    def _move(self, entry: _Entry, stand: Stand, *, is_untaken: bool = False) -> None:
        """Have the entry stand elsewhere, and call whom that concerns."""
        line = self._lines[entry.council]
        is_untaken = is_untaken and stand is Stand.ADMITTED
        line.untaken += is_untaken - entry.is_untaken
        entry.is_untaken = is_untaken
        if entry.stand is stand:
            return
        has_line_changed = Stand.WAITING in {entry.stand, stand}
        self._leave(entry, line)
        entry.stand = stand
        if stand is Stand.ADMITTED:
            line.running += 1
        elif stand is Stand.WAITING:
            insort(line.waiting, entry.ticket)
            if entry.is_newcomer:
                insort(line.newcomers, _arrival(entry.ticket))
        if has_line_changed:
            self._tell_positions(entry.council, line)
        if line.terms:
            self._call(entry.council.namespace, line.terms.runner)

    def _leave(self, entry: _Entry, line: _Line) -> None:
        if entry.stand is Stand.ADMITTED:
            line.running -= 1
        elif entry.stand is Stand.WAITING:
            _take(line.waiting, entry.ticket)
            entry.shown = None
            if entry.is_newcomer:
                _strike(entry, line)
                self._decide_on_next(entry.council)

    def _tell_positions(self, council: Key, line: _Line) -> None:
        """Wake those whose shown position is no longer right: only who crossed a step can be among them."""
        for step in STEPS:
            for index in (step - 1, step):
                if index >= len(line.waiting):
                    return
                key = Key("Deliberation", council.namespace, line.waiting[index].name)
                entry = self._entries[key]
                if entry.shown is not None and entry.shown != show_position(index + 1):
                    entry.shown = None
                    self._wake(key)

    def _call(self, namespace: str, runner: str) -> None:
        """Wake everybody whose turn has come, once."""
        if namespace not in self._open:
            return
        called = self._called.get((namespace, runner), set())
        self._called[namespace, runner] = now = set(self._find_next(namespace, runner))
        for key in now - called:
            self._wake(key)

    def _is_next(self, key: Key, entry: _Entry) -> bool:
        """Return whether it is somebody's turn, or would be if he waited: who stands aside comes back by himself."""
        if entry.stand is Stand.ADMITTED:
            return True
        line = self._lines[entry.council]
        if line.terms is None:
            return False
        if entry.stand is Stand.WAITING:
            return key in self._find_next(key.namespace, line.terms.runner)
        insort(line.waiting, entry.ticket)
        try:
            return key in self._find_next(key.namespace, line.terms.runner)
        finally:
            _take(line.waiting, entry.ticket)

    def _find_next(self, namespace: str, runner: str) -> list[Key]:
        """Return everybody whose turn it is at a runner. A Council that is not ready takes up places, but no turn."""
        lines = {council.name: self._lines[council] for council in self._sharers[namespace, runner]}
        places = max((line.terms.places for line in lines.values() if line.terms), default=0)
        strained = self._strained.get((namespace, runner), frozenset())
        offered = (Line(name, line.offer(strained), line.running, line.last_turn_ms) for name, line in lines.items())
        return [Key("Deliberation", namespace, ticket.name) for _, ticket in choose(offered, places)]


def _weigh(entry: _Entry, stand: Stand) -> Stand:
    """Return where an entry stands, from what its object says and what is known beyond that."""
    if entry.refused_by is not None or entry.on_bus is Stand.ASIDE:
        return Stand.ASIDE
    if stand is not Stand.WAITING:
        entry.on_bus = None
        return stand
    return entry.on_bus or stand


def _arrival(ticket: Ticket) -> Newcomer:
    return ticket.created, ticket.name


def _strike(entry: _Entry, line: _Line) -> None:
    """Have an entry be a newcomer no longer."""
    entry.is_newcomer = False
    _take(line.newcomers, _arrival(entry.ticket))


def _take(ordered: list[Any], item: Ticket | Newcomer) -> None:
    """Take an item out of a sorted list."""
    del ordered[bisect_left(ordered, item)]
