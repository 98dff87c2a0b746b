"""The votes of a poll: one SQLite file in the poll's folder, which also says which model made which film.

A vote is on disk before it is answered (WAL, full sync), once per voter (primary key), so neither a kill nor
a retry loses or doubles one.
"""

import hashlib
import hmac
import json
import math
import os
import secrets
import sqlite3
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vector_tl.errors import Refused, UserError

FILE = "poll.sqlite"
SIDES = ("left", "right", "none")
MAX_WHY = 500  # characters
_LATE_S = 300  # how wrong the clock of a voter without server may be
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE votes (
    voter TEXT PRIMARY KEY, at_s REAL NOT NULL, side TEXT NOT NULL CHECK (side IN ('left', 'right', 'none')),
    left_film TEXT NOT NULL, film TEXT, why TEXT NOT NULL, way TEXT NOT NULL
);
"""


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
            self.id, self._secret = self.fact("id"), bytes.fromhex(self.fact("secret"))
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise UserError(f"The poll in {folder} cannot be read: {error}.") from error

    @classmethod
    def create(cls, folder: Path, films: list[dict], **facts: Any) -> "Poll":
        """Put a poll without votes into `folder`.

        Args:
            folder: an existing one, which holds films/.
            films: two, each with `file` (in folder/films) and what is revealed at the end: `model`,
                `caption`, `init`, `arch`.
            facts: JSON-able: hours, question, contact, invitations, threshold, fps, ...
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
        self._database.close()

    def fact(self, name: str) -> Any:
        """One of the facts, or None."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def remember(self, **facts: Any) -> None:
        """Set facts."""
        with self._transaction():
            rows = [(name, json.dumps(value)) for name, value in facts.items()]
            self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    @property
    def files(self) -> list[str]:
        """The two films' names."""
        return [film["file"] for film in self.fact("films")]

    def open(self, now_s: float | None = None) -> None:
        """Begin the voting, unless it has begun."""
        if self.fact("opened_s") is None:
            now_s = time.time() if now_s is None else now_s
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
            self.remember(closes_s=time.time() if now_s is None else now_s)

    def closed(self, now_s: float | None = None) -> bool:
        """Whether the time for votes is over."""
        closes_s = self.fact("closes_s")
        return closes_s is not None and (time.time() if now_s is None else now_s) >= closes_s

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
            and 1 <= int(number) <= self.fact("invitations")
            and self.signed_by_us("invitation", number, signature)
        ):
            return f"invited-{number}"
        return None

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
    ) -> None:
        """Count a vote; it is on disk when this returns.

        Args:
            voter: who; one vote each.
            side: left, right or none, as that voter saw it.
            why: the reason, in the voter's words; may be empty.
            way: page, or code for one that was sent back from an exported page.
            left_film: what was on the left; as `sides` says when None.
            at_s: when; now when None.

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
            with self._transaction():
                opened_s, closes_s = self.fact("opened_s"), self.fact("closes_s")
                slack_s = 0 if way == "page" else _LATE_S
                at_s = time.time() if at_s is None else at_s
                if opened_s is None or at_s < opened_s - slack_s:
                    raise Refused(403, "The voting has not begun.")
                if at_s >= closes_s + slack_s:
                    raise Refused(410, "The voting has closed; this vote was not counted.")
                row = (voter, at_s, side, left, {"left": left, "right": right, "none": None}[side], why, way)
                self._database.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise Refused(409, "Your vote was counted already; there is one for each voter.") from None
        except sqlite3.Error as error:
            raise Refused(
                503, f"The vote could not be stored ({error}) and was not counted; please try again."
            ) from error

    def voted(self, voter: str) -> str | None:
        """The side a voter has voted for, or None."""
        row = self._database.execute("SELECT side FROM votes WHERE voter = ?", (voter,)).fetchone()
        return row and row[0]

    def votes(self) -> list[dict]:
        """All votes in the order of their times: voter, at_s, side, left_film, film, why, way."""
        columns = ("voter", "at_s", "side", "left_film", "film", "why", "way")
        rows = self._database.execute(f"SELECT {', '.join(columns)} FROM votes ORDER BY at_s, voter")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def count(self) -> int:
        """How many have voted."""
        return self._database.execute("SELECT count(*) FROM votes").fetchone()[0]

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


def wilson(share_of: int, total: int, z: float = 1.959964) -> tuple[float, float] | None:
    """Wilson's score interval of a share (95 % by default), or None without votes.

    E. B. Wilson, JASA 22 (1927) 209-212.
    """
    if not total:
        return None
    share, square = share_of / total, z * z / total
    middle, reach = (
        (share + square / 2) / (1 + square),
        z * math.sqrt((share * (1 - share) + square / 4) / total) / (1 + square),
    )
    return max(0.0, middle - reach), min(1.0, middle + reach)


def result(poll: Poll, reveal: bool = False) -> dict:
    """The count as a JSON-able dict; models are named once voting has closed, or with `reveal`."""
    votes, closed = poll.votes(), poll.closed()
    picked = [vote["film"] for vote in votes if vote["film"]]
    films = []
    for film in poll.fact("films"):
        mine = picked.count(film["file"])
        interval = wilson(mine, len(picked))
        films.append(
            {
                "film": film["file"],
                "model": film["model"] if closed or reveal else None,
                "caption": film["caption"] if closed or reveal else None,
                "votes": mine,
                "share": round(mine / len(picked), 4) if picked else None,
                "interval95": [round(edge, 4) for edge in interval] if interval else None,
                "why": [vote["why"] for vote in votes if vote["film"] == film["file"] and vote["why"]],
            }
        )
    sides = Counter(vote["side"] for vote in votes)
    return {
        "poll": poll.id,
        "question": poll.fact("question"),
        "opened": stamp(poll.fact("opened_s")),
        "closes": stamp(poll.fact("closes_s")),
        "closed": closed,
        "votes": len(votes),
        "decided": len(picked),
        "no_difference": len(votes) - len(picked),
        "chose_left": sides["left"],
        "chose_right": sides["right"],
        "threshold": poll.fact("threshold"),
        "films": films,
        "why_no_difference": [vote["why"] for vote in votes if not vote["film"] and vote["why"]],
    }


def stamp(time_s: float | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return None if time_s is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
    return database
