"""What a server refuses to do."""

import asyncio
import re
from collections.abc import Awaitable

from deliberation.bus.port import BusUnavailableError

REFUSAL_SECONDS = 3.0
"""Patience of a client whose calls are all refused: each takes so long. A busy machine's server has spoken by then."""


async def all_refused(*calls: Awaitable[object], match: str) -> None:
    """Make calls at once, and assert that each fails with a reason that matches."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BusUnavailableError] * len(calls)
    assert [str(outcome) for outcome in outcomes if not re.search(match, str(outcome))] == []
