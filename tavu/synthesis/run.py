"""The synthesis: requests are asked, several at a time, until enough texts are kept.

Requests are numbered from 0; those that an earlier run did not get an answer to are asked first. A request that fails is asked again after a pause,
in which no other is asked either. A text that is rejected is replaced by a request with a new number.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count as count_from

from tavu.errors import TavuError
from tavu.synthesis.checks import Limits, Seen, cleaned, reason_to_reject
from tavu.synthesis.endpoint import Answer, Endpoint, Failure
from tavu.synthesis.languages import Profile
from tavu.synthesis.ledger import Ledger
from tavu.synthesis.prompts import Plan, draw, prompt

TRIES = 8
"""How often a request is asked before the run ends with an error."""
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 1.0, 60.0, 600.0
MOST_REJECTED_IN_A_ROW = 100
SHOW_SECONDS = 0.25


@dataclass
class Status:
    """How far the synthesis is. `now_*` and the tokens count this run alone."""

    wanted: int
    kept: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    now_kept: int = 0
    now_rejected: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    tokens_are_counted: bool = True
    waiting_for: str = ""
    """Why no request is asked at the moment, if so."""
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def seconds_left(self) -> float | None:
        """At the rate of this run so far; None if nothing was kept yet."""
        return self.seconds * (self.wanted - self.kept) / self.now_kept if self.now_kept else None


class Synthesis:
    """One run. `show` is called a few times a second with the status."""

    def __init__(self, plan: Plan, ledger: Ledger, limits: Limits, profile: Profile | None, count: int, show: Callable[[Status], None]):
        self.plan, self.ledger, self.limits, self.profile, self._show = plan, ledger, limits, profile, show
        self.status = Status(count, kept=len(ledger.kept), rejects=ledger.rejects)
        self._seen = Seen()
        for text in ledger.kept:
            self._seen.add(text)
        self._numbers: Iterator[int] = (number for number in count_from() if number not in ledger.answered)
        self._in_flight = self._rejected_in_a_row = 0
        self._may_ask_at = 0.0
        self._stops = False

    async def run(self, endpoint: Endpoint, concurrency: int) -> None:
        """Ask until enough texts are kept. Cancelled once (Ctrl-C), it still waits for the answers under way, which may have been paid for.

        Raises TavuError if the endpoint keeps failing or refuses, or if text after text is rejected.
        """
        workers = [asyncio.create_task(self._work(endpoint)) for _ in range(concurrency)]
        shows = asyncio.create_task(self._show_regularly())
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)  # unlike gather, it does not cancel them when it is cancelled
        finally:
            self._stops = True
            await asyncio.wait(workers)
            shows.cancel()
            self._show(self.status)
            await endpoint.close()
        for fault in [worker.exception() for worker in workers]:
            if fault is not None:
                raise fault

    async def _work(self, endpoint: Endpoint) -> None:
        """Ask one request after another while texts are missing."""
        while not self._stops and self.status.kept < self.status.wanted:
            if self.status.kept + self._in_flight >= self.status.wanted:  # the last ones are under way, but may be rejected
                await asyncio.sleep(0.05)
                continue
            self._in_flight += 1
            try:
                answered = await self._ask(endpoint, number := next(self._numbers))
            finally:
                self._in_flight -= 1
            if answered is not None:
                self._take(number, answered)

    async def _ask(self, endpoint: Endpoint, number: int) -> Answer | None:
        """The answer to a request, asked again after failures; None if the run stops before there is one."""
        drawn, failed = draw(self.plan, number), Failure("")
        for attempt in range(TRIES):
            while (pause := self._may_ask_at - time.monotonic()) > 0 and not self._stops:
                await asyncio.sleep(min(pause, 0.1))
            if self._stops:
                return None
            answered = await endpoint.ask(prompt(self.plan, drawn), self.plan.seed + number)
            if isinstance(answered, Answer):
                self.status.waiting_for = ""
                return answered
            failed = answered
            wait = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) if failed.retry_after is None else min(LONGEST_RETRY_AFTER, failed.retry_after)
            self._may_ask_at = max(self._may_ask_at, time.monotonic() + wait)
            self.status.waiting_for = f"the endpoint {failed.reason}: asking again in {wait:.0f} s"
        kept = f"{self.status.kept:,} texts are kept in {self.ledger.out}: repeat the command to continue."
        raise TavuError(f"{endpoint.url} {failed.reason}, {TRIES} times. {kept}")

    def _take(self, number: int, answer: Answer) -> None:
        """Check and record an answer."""
        status, drawn, text = self.status, draw(self.plan, number), cleaned(answer.text)
        status.tokens_read += answer.tokens_read
        status.tokens_written += answer.tokens_written
        status.tokens_are_counted &= answer.are_counted
        reason = "cut off" if answer.is_cut else reason_to_reject(text, drawn, self.limits, self.profile)
        if reason is None and self._seen.has_like(text):
            reason = "near-duplicate"
        if reason is None:
            self.ledger.keep(number, drawn.row(text))
            self._seen.add(text)
            status.kept += 1
            status.now_kept += 1
            self._rejected_in_a_row = 0
            return
        self.ledger.reject(number, reason, text)
        status.now_rejected += 1
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row >= MOST_REJECTED_IN_A_ROW:
            most = status.rejects.most_common(1)[0][0]
            where = f"The texts are in {self.ledger.rejected_file}"
            raise TavuError(f"{MOST_REJECTED_IN_A_ROW} texts in a row were rejected, most often for: {most}. {where}. Try a larger model.")

    async def _show_regularly(self) -> None:
        while True:
            self._show(self.status)
            await asyncio.sleep(SHOW_SECONDS)
