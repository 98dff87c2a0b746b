"""A poll's file: one SQLite database with its facts (which model made which film, too) and its votes.

What is written is on disk when the call returns (WAL, full sync).
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from vector_tl.errors import UserError, writing_remedy
from vector_tl.forms import check_form, parse_json
from vector_tl.poll.contents import NEEDED, Facts

FILE = "poll.sqlite"
REMEDY = "bring back a copy of it, or make a new poll"
BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the latter where SQLite's own sentence names a damaged table
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


class PollFile:
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
            if not os.access(self.folder, os.W_OK):  # SQLite writes beside a file that it reads
                where = (
                    f"{self.folder} cannot be written to, as a poll must be also where votes are only read"
                )
                raise Unreadable(f"{where}; copy the whole folder to another place.") from error
            raise self._unreadable("header", error) from error
        for name in NEEDED:
            if self.fact(name) is None:
                raise Unreadable(f"{self.folder / FILE} lacks the fact {name!r}; {REMEDY}.")

    @classmethod
    def create(cls, folder: Path, films: list[dict], **facts: Any) -> Self:
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
            raise Unreadable(f"{self.folder / FILE} {reason}; {writing_remedy(error, REMEDY)}.") from error

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


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
    columns = [row[1] for row in database.execute("PRAGMA table_info(votes)")]
    if columns and "address" not in columns:  # of an earlier version
        database.execute("ALTER TABLE votes ADD COLUMN address TEXT")
    return database
