"""A poll: when it is open, and its votes.

A vote is on disk before it is answered, once per voter (primary key), so neither a kill nor a retry loses or
doubles one.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from vector_tl.errors import Refused, UserError
from vector_tl.forms import check_form
from vector_tl.poll.clock import Clock
from vector_tl.poll.contents import Vote
from vector_tl.poll.storage import FILE, REMEDY, PollFile, Unreadable
from vector_tl.poll.voters import Voters
from vector_tl.poll.words import clean

SIDES = ("left", "right", "none")
_LATE_S = 300  # how wrong the clock of a voter without server may be
_REMEMBERED_S = 10.0  # how much of the time that was seen a kill may lose


class Poll(PollFile):
    """A poll: its facts (see `PollFile`), when it is open, and its votes.

    Attributes:
        id: random, in the poll's codes and cookies.
        voters: who may vote, and what each sees.

    Raises:
        UserError: the folder holds no poll, or it cannot be read.
    """

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.id: str = self.fact("id")
        self.voters = Voters(self)
        self._clock = Clock(float(self.fact("latest_s") or 0))

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):  # closed before, or no disk
            self._put(latest_s=self._clock.now_s())
        super().close()

    # When: by this computer's clock, which is not believed where it goes back.

    def open(self, now_s: float | None = None) -> None:
        """Begin the voting, unless it has begun."""
        if self.fact("opened_s") is None:
            now_s = self._clock.now_s() if now_s is None else now_s
            self.remember(opened_s=now_s, closes_s=now_s + 3600 * self.fact("hours"))

    def last(self, hours: float) -> None:
        """Let the voting last so many hours from its opening.

        Raises:
            UserError: it has closed already, and the result may be known.
        """
        if self.closed():
            raise UserError(
                "The voting has closed and its result may be known; make a new poll to ask again."
            )
        opened_s = self.fact("opened_s")
        self.remember(hours=hours, **({} if opened_s is None else {"closes_s": opened_s + 3600 * hours}))

    def end(self, now_s: float | None = None) -> None:
        """Close the voting now."""
        self.open(now_s)
        if not self.closed(now_s):
            self.remember(closes_s=self._clock.now_s() if now_s is None else now_s, closed=True)

    def closed(self, now_s: float | None = None) -> bool:
        """Whether the time for votes is over. It is for good, once that was seen."""
        closes_s = self.fact("closes_s")
        if closes_s is None or self.fact("closed"):
            return closes_s is not None
        if now_s is not None:
            return now_s >= closes_s
        is_over = self._clock.now_s() >= closes_s
        if is_over or self._clock.latest_s > (self.fact("latest_s") or 0) + _REMEMBERED_S:
            with suppress(sqlite3.Error):  # a full disk: remembered another time
                self._put(latest_s=self._clock.latest_s, **({"closed": True} if is_over else {}))
        return is_over

    # Votes.

    def vote(
        self,
        voter: str,
        side: str,
        why: str = "",
        way: str = "page",
        left_film: str | None = None,
        at_s: float | None = None,
        said_s: float | None = None,
        address: str | None = None,
    ) -> None:
        """Count a vote; it is on disk when this returns.

        Args:
            voter: who; one vote each.
            side: left, right or none, as that voter saw it.
            why: the reason, in the voter's words; may be empty.
            way: page, or code for one that was sent back from an exported page.
            left_film: what was on the left; as `Voters.sides` says when None.
            at_s: when it is counted; now when None.
            said_s: when it was made, by the voter's clock; it must have been in time by that clock, too.
            address: where it came from; only its signature is kept.

        Raises:
            Refused: voted already, too early or late, not understood, or the disk does not take it.
        """
        why = clean(why)
        if side not in SIDES:
            raise Refused(400, "A vote is left, right or none.")
        left, right = (
            self.voters.sides(voter)
            if left_film is None
            else (left_film, *(file for file in self.files if file != left_film))[:2]
        )
        try:
            closed = self.closed(at_s)
            with self._transaction():
                at_s = self._clock.now_s() if at_s is None else at_s
                if self.voted(voter):
                    raise Refused(409, "Your vote was counted already; there is one for each voter.")
                self._refuse_untimely(closed, at_s, at_s if said_s is None else said_s)
                film = {"left": left, "right": right, "none": None}[side]
                origin = self.voters.sign("address", address)[:16] if address else None
                row = (voter, at_s, side, left, film, why, way, origin)
                self._database.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        except (sqlite3.Error, Unreadable) as error:
            reason = error if isinstance(error, sqlite3.Error) else "the poll's file cannot be read"
            raise Refused(
                503, f"The vote could not be stored ({reason}) and was not counted; please try again."
            ) from error

    def _refuse_untimely(self, closed: bool, at_s: float, said_s: float) -> None:
        opened_s, closes_s = self.fact("opened_s"), self.fact("closes_s")
        slack_s = 0 if said_s == at_s else _LATE_S
        if opened_s is None or at_s < opened_s or said_s < opened_s - slack_s:
            raise Refused(403, "The voting has not begun.")
        if closed or self.closed(at_s) or said_s >= closes_s + slack_s or said_s > at_s + slack_s:
            raise Refused(410, "The voting has closed; this vote was not counted.")

    def count_from(self, address: str) -> int:
        """How many votes came from an address."""
        origin = self.voters.sign("address", address)[:16]
        return self._rows("votes", "SELECT count(*) FROM votes WHERE address = ?", origin)[0][0]

    def voted(self, voter: str) -> str | None:
        """The side a voter has voted for, or None."""
        rows = self._rows("votes", "SELECT side FROM votes WHERE voter = ?", voter)
        return rows[0][0] if rows else None

    def votes(self) -> list[dict]:
        """All votes in the order of their times: see `contents.Vote`.

        Raises:
            Unreadable: one cannot be read.
            UserError: one is not of its form.
        """
        columns = ("voter", "at_s", "side", "left_film", "film", "why", "way", "address")
        rows = self._rows("votes", f"SELECT {', '.join(columns)} FROM votes ORDER BY at_s, voter")
        votes = [dict(zip(columns, row, strict=True)) for row in rows]
        for number, vote in enumerate(votes, 1):
            check_form(vote, Vote, f"{self.folder / FILE}, table votes, row {number} by time,", REMEDY)
        return votes

    def count(self) -> int:
        """How many have voted."""
        return self._rows("votes", "SELECT count(*) FROM votes")[0][0]
