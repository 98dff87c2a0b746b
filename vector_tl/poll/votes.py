"""The votes of a poll: one SQLite file in the poll's folder, which also says which model made which film.

A vote is on disk before it is answered (WAL, full sync), once per voter (primary key), so neither a kill nor
a retry loses or doubles one.
"""

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vector_tl.errors import Refused, UserError
from vector_tl.forms import check_form, parse_json
from vector_tl.poll.clock import Clock
from vector_tl.poll.contents import NEEDED, Facts, Vote

FILE = "poll.sqlite"
REMEDY = "bring back a copy of it, or make a new poll"
BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the latter where SQLite's own sentence names a damaged table
SIDES = ("left", "right", "none")
MAX_WHY = 500  # characters
_LATE_S = 300  # how wrong the clock of a voter without server may be
_REMEMBERED_S = 10.0  # how much of the time that was seen a kill may lose
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE votes (
    voter TEXT PRIMARY KEY, at_s REAL NOT NULL, side TEXT NOT NULL CHECK (side IN ('left', 'right', 'none')),
    left_film TEXT NOT NULL, film TEXT, why TEXT NOT NULL, way TEXT NOT NULL, address TEXT
);
"""


class Unreadable(UserError):
    """The poll's file is damaged, or another program has it locked."""

    status = 503


class Poll:
    """A poll's folder. Facts are read anew each time, since another process may close the poll meanwhile.

    Raises:
        UserError: the folder holds no poll, or it cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        if not is_poll(folder):
            make = "vector-tl poll INPUT --left MODEL --right MODEL --out DIR"
            raise UserError(f"There is no poll in {folder}; make one with: {make}")
        try:
            self._database = _open(self.folder / FILE)
        except BROKEN as error:
            raise self._unreadable("header", error) from error
        for name in NEEDED:
            if self.fact(name) is None:
                raise Unreadable(f"{self.folder / FILE} lacks the fact {name!r}; {REMEDY}.")
        self.id, self._secret = self.fact("id"), bytes.fromhex(self.fact("secret"))
        self._clock = Clock(float(self.fact("latest_s") or 0))

    @classmethod
    def create(cls, folder: Path, films: list[dict], **facts: Any) -> "Poll":
        """Put a poll without votes into `folder`.

        Args:
            folder: an existing one, which holds films/.
            films: two, each with `file` (in folder/films) and what is revealed at the end: `model`,
                `caption`, `init`, `arch`.
            facts: JSON-able: hours, question, contact, invitations (None: decided later), threshold, ...
        """
        path = Path(folder) / FILE
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # before SQLite makes it for all to read
        database = _open(path)
        films = sorted(films, key=lambda film: film["file"])  # by their drawn names: the order says nothing
        facts |= {
            "id": secrets.token_hex(4),
            "secret": secrets.token_hex(32),
            "films": films,
            "opened_s": None,
            "closes_s": None,
            "port": None,
        }
        with database:
            database.executescript(_TABLES)
            rows = [(name, json.dumps(value)) for name, value in facts.items()]
            database.executemany("INSERT INTO facts VALUES (?, ?)", rows)
        database.close()
        return cls(folder)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):  # closed before, or no disk
            self._put(latest_s=self._clock.now_s())
        self._database.close()

    def fact(self, name: str) -> Any:
        """One of the facts, or None.

        Raises:
            Unreadable: it cannot be read, or is not of its form (`contents.py`).
        """
        rows = self._rows("facts", "SELECT CAST(value AS TEXT) FROM facts WHERE name = ?", name)
        if not rows or rows[0][0] is None:
            return None
        where = f"{self.folder / FILE}, fact {name!r},"
        value = parse_json(rows[0][0], Any, where, REMEDY)
        return check_form({name: value}, Facts, where, REMEDY)[name]

    def _rows(self, table: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except BROKEN as error:
            raise self._unreadable(f"table {table}", error) from error

    def _unreadable(self, place: str, error: Exception) -> Unreadable:
        return Unreadable(f"{self.folder / FILE} cannot be read, in its {place} ({error}); {REMEDY}.")

    def remember(self, **facts: Any) -> None:
        """Set facts, all or none.

        Raises:
            Unreadable: the file is damaged, or cannot be written.
        """
        try:
            with self._transaction():
                self._put(**facts)
        except BROKEN as error:
            reason = f"cannot be written, in its table facts ({error})"
            raise Unreadable(f"{self.folder / FILE} {reason}; free some space, or {REMEDY}.") from error

    def _put(self, **facts: Any) -> None:
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    @property
    def files(self) -> list[str]:
        """The two films' names."""
        return [film["file"] for film in self.fact("films")]

    @property
    def invitations(self) -> int:
        """How many personal addresses there are; 0 for a vote that is open to all."""
        return self.fact("invitations") or 0

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

    # Who votes.

    def sign(self, purpose: str, text: str) -> str:
        """A signature that only this poll can make."""
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()[:32]

    def signed_by_us(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `signature` is ours; every wrong one takes the same time."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode(errors="replace"))

    def invitation(self, number: int) -> str:
        """The token of invitation `number` (from 1)."""
        return f"{number}-{self.sign('invitation', str(number))}"

    def invited(self, token: str) -> str | None:
        """The voter of an invitation, or None for one that is not ours."""
        number, _, signature = token.partition("-")
        plain = number.isascii() and number.isdigit() and len(number) < 8
        if (
            plain
            and 1 <= int(number) <= self.invitations
            and self.signed_by_us("invitation", number, signature)
        ):
            return f"invited-{number}"
        return None

    def common_token(self) -> str:
        """The token in the address of a vote that is open to all who have that address."""
        return f"all-{self.sign('invitation', 'all')}"

    def admits(self, token: str) -> bool:
        """Whether a token opens the page: an invitation, or the common one where there are none."""
        if self.invitations:
            return self.invited(token) is not None
        return hmac.compare_digest(token.encode(errors="replace"), self.common_token().encode())

    def sides(self, voter: str) -> tuple[str, str]:
        """The films that a voter sees left and right: at random for each voter, and the same each time."""
        first, second = self.files
        return (second, first) if int(self.sign("sides", voter)[:8], 16) % 2 else (first, second)

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
            left_film: what was on the left; as `sides` says when None.
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
            self.sides(voter)
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
                origin = self.sign("address", address)[:16] if address else None
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
        origin = self.sign("address", address)[:16]
        return self._rows("votes", "SELECT count(*) FROM votes WHERE address = ?", origin)[0][0]

    def voted(self, voter: str) -> str | None:
        """The side a voter has voted for, or None."""
        rows = self._rows("votes", "SELECT side FROM votes WHERE voter = ?", voter)
        return rows[0][0] if rows else None

    def votes(self) -> list[dict]:
        """All votes in the order of their times: those of `_TABLES`.

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

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def is_poll(folder: Path) -> bool:
    """Whether a folder is a poll's."""
    return (Path(folder) / FILE).is_file()


def clean(why: str) -> str:
    """A voter's words as they are kept: without control and direction characters, spaces joined.

    Raises:
        Refused: no text, or too much of it.
    """
    if not isinstance(why, str):
        raise Refused(400, "The reason must be text.")
    if len(why) > MAX_WHY:
        raise Refused(413, f"The reason may have {MAX_WHY} characters, not {len(why)}.")
    # Cc control, Cf direction marks and other invisible ones (a joiner is needed inside emoji), Cs halves of
    # a
    # character, Co and Cn no character at all
    plain = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") or c == "\u200d" else " "
        for c in why
    )
    return " ".join(unicodedata.normalize("NFC", plain).split())


def stamp(time_s: float | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return None if time_s is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
    columns = [row[1] for row in database.execute("PRAGMA table_info(votes)")]
    if columns and "address" not in columns:  # of an earlier version
        database.execute("ALTER TABLE votes ADD COLUMN address TEXT")
    return database
