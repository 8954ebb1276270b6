"""The queue's file: an SQLite database that is ours, whole, and safe from a crash.

Standard library only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omniaudio_studio.errors import OutputError

APPLICATION = 0x4F415351  # "OASQ", in the file's header
VERSION = 1
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    place REAL NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'generate',
    request TEXT NOT NULL,
    device TEXT NOT NULL,
    label TEXT NOT NULL,
    clip_seconds REAL,
    round INTEGER NOT NULL,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    stopping INTEGER NOT NULL DEFAULT 0,
    temporary TEXT,
    worker TEXT,
    error TEXT,
    error_kind TEXT,
    result TEXT
);
CREATE INDEX jobs_by_state ON jobs (state, place);
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO facts VALUES ('revision', 0), ('paused', 0), ('round', 1);
CREATE TABLE speeds (
    kind TEXT PRIMARY KEY,
    bundle TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    loading REAL,
    sound REAL NOT NULL,
    overlay REAL,
    finishing REAL NOT NULL,
    updated REAL NOT NULL
);
"""


class QueueFile:
    """One connection, shared by threads that take turns.

    Parameters
    ----------
    path
        Made where it is missing; a file that is something else is left alone.

    Raises
    ------
    OutputError
        One line, if it cannot be opened, is damaged, or is no queue of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        with self._told():
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        connection.row_factory = sqlite3.Row
        self._connection = connection

    def close(self) -> None:
        """Close the file; the last one to do so folds its log into it."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for looking things up."""
        with self._lock, self._told():
            yield self._open()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a transaction; everything done in it is kept, or nothing.

        It is on the disk when this ends, and the revision has grown.
        """
        with self._lock, self._told():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("UPDATE facts SET value = value + 1 WHERE name = 'revision'")
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise OutputError(f"the queue {self.path} is closed")
        return self._connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's complaints as one line about the user's file."""
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(f"cannot use the queue {self.path}: {_reason(error)}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # Without a word about size: a database that is no database says so here.
        connection.execute("PRAGMA schema_version").fetchone()
        if self._is_new(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):  # nobody else was quicker
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise OutputError(
                f"{self.path} is a database, but no queue of OmniAudio Studio; move it away or "
                "choose another place"
            )
        if version != VERSION:
            raise OutputError(
                f"the queue {self.path} has version {version}, this program reads {VERSION}; use "
                "the version of OmniAudio Studio that wrote it"
            )
        self._add_kind(connection)
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise OutputError(
                f"the queue {self.path} is damaged ({found}); move it away to begin a new one"
            )
        # A network folder may refuse the log; a rollback journal is as safe, if slower.
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut takes nothing that was reported as kept.
        connection.execute("PRAGMA synchronous = FULL")

    @staticmethod
    def _add_kind(connection: sqlite3.Connection) -> None:
        """Files of before recordings could be placed: all that they hold is to be generated.

        The version stays: programs of that time pass over requests that they cannot read.
        """

        def has_kind() -> bool:
            columns = connection.execute("PRAGMA table_info(jobs)").fetchall()
            return any(column[1] == "kind" for column in columns)

        if has_kind():
            return
        connection.execute("BEGIN IMMEDIATE")
        if not has_kind():  # nobody else was quicker
            connection.execute("ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'generate'")
        connection.execute("COMMIT")

    @staticmethod
    def _is_new(connection: sqlite3.Connection) -> bool:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        return bool(tables == 0 and application == 0)


def _reason(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", None) or ""
    if code == "SQLITE_FULL":
        return "the disk is full; free some space"
    if code.startswith("SQLITE_IOERR"):
        return "the disk is full or does not answer; free some space or look at the drive"
    if code.startswith("SQLITE_NOTADB"):
        return "it is no database; move it away or choose another place"
    if code.startswith("SQLITE_CORRUPT"):
        return "it is damaged; move it away to begin a new one"
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program holds it; try again in a moment"
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "it cannot be opened; look at the folder and its permissions"
    if code.startswith("SQLITE_READONLY"):
        return "it cannot be written; look at its permissions"
    return " ".join(str(error).split())
