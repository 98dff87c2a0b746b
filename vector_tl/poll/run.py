"""A blind vote on which of two models people like better.

vector-tl poll runs/first.mcap --left scratch --right transfer --out runs/poll
"""

import codecs
import logging
import time
from collections.abc import Callable
from typing import Any

from vector_tl.errors import UserError, cannot_write
from vector_tl.files import refuse_existing, write_atomic
from vector_tl.parts import Part
from vector_tl.plain import counted
from vector_tl.poll.clock import stamp
from vector_tl.poll.publish import export, take_votes, votes_csv
from vector_tl.poll.result import result
from vector_tl.poll.settings import HOURS, INVITATIONS, PollSettings
from vector_tl.poll.storage import BROKEN, is_poll
from vector_tl.poll.votes import Poll
from vector_tl.web.hosts import address, is_loopback, warn_if_open

MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
log = logging.getLogger("vector_tl.poll")


def poll(settings: PollSettings, left: Callable | None = None, right: Callable | None = None) -> dict:
    """Make a poll, serve one, or say what came of it, as the settings ask.

    Args:
        settings: the options of `vector-tl poll`.
        left: one detector, image (H, W, 3) uint8 RGB and threshold -> `boxes_xyxy` (N, 4), `scores` (N,); the
            model `settings.left` when None.
        right: the other one, likewise.

    Returns:
        The JSON of `vector-tl poll --json`.

    Raises:
        UserError: no such poll, input or model; the folder exists; the port is taken; a file cannot be
            written.
    """
    settings.check()
    if settings.csv:
        refuse_existing(settings.csv, settings.overwrite)
    opened = make(settings, left, right) if settings.makes else Poll(settings.input)
    try:
        if settings.hours is not None and not settings.makes:
            opened.last(settings.hours)
        return _answer(opened, settings)
    finally:
        opened.close()


def make(settings: PollSettings, left: Callable | None = None, right: Callable | None = None) -> Poll:
    """Make a new poll's folder, whole or not at all; arguments and errors are those of `poll`."""
    from vector_tl.film.film import detectors_for  # here: serving starts sooner without codecs
    from vector_tl.film.footage import open_footage
    from vector_tl.film.reel import captions
    from vector_tl.poll.films import render

    assert settings.left and settings.right and settings.out  # as settings.check() says
    folder = settings.out
    if is_poll(folder):
        raise UserError(f"{folder} holds a poll already; serve it with: vector-tl poll {folder}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already; choose another --out.")
    if is_poll(settings.input):
        raise UserError(
            f"{settings.input} is a poll already; give a recording, a video or a folder of images."
        )
    open_footage(settings.input)  # what cannot be shown is reported before models are loaded
    detectors = detectors_for([settings.left, settings.right], [left, right], settings.device)
    try:
        part = Part(folder, folder=True, private=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        (part.path / "films").mkdir()
        names, facts = render(
            settings.input, part.path / "films", detectors, settings.threshold, settings.fps, settings.width
        )
        films = [
            {"file": name, "model": str(getattr(model, "name", "?")), "caption": caption}
            | {word: str(getattr(model, word, "")) for word in ("arch", "init")}
            for name, model, caption in zip(names, detectors, captions(detectors), strict=True)
        ]
        facts |= {
            word: getattr(settings, word) for word in ("threshold", "question", "contact", "invitations")
        }
        facts |= {"hours": settings.hours or HOURS, "made_s": time.time(), "input": str(settings.input)}
        Poll.create(part.path, films, **facts).close()
        part.put()  # over an empty folder at most
    except (OSError, *BROKEN) as error:
        raise cannot_write(folder, error) from error
    finally:
        part.drop()
    return Poll(folder)


def _answer(opened: Poll, settings: PollSettings) -> dict:
    """Do what was asked of a poll, in an order in which the answer is of the latest state."""
    answer: dict[str, Any] = {"poll": str(opened.folder)}
    if settings.export or settings.serves:
        _refuse_without_films(opened)
        _decide_who_votes(opened, settings)
    if settings.take_votes:
        try:
            data = settings.take_votes.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"Cannot read {settings.take_votes}: {reason}. Give a text file.") from error
        form = "utf-16" if data.startswith(MARKS) else "utf-8"  # as Windows' shell writes text
        answer |= take_votes(opened, data.decode(form, errors="replace"))
    if settings.close:
        opened.end()
    if settings.csv:
        write_atomic(settings.csv, votes_csv(opened, settings.reveal))
        answer["csv"] = str(settings.csv)
    if settings.export:
        files = export(opened, settings.export, settings.reveal, settings.overwrite)
        answer |= {"export": str(settings.export), "files": files}
        _write_invitations(opened, _address(settings, "index.html"))
    if settings.result:
        return answer | result(opened, settings.reveal) | {"poll": str(opened.folder)}
    if settings.serves:
        answer["address"] = _serve(opened, settings)
    closes_s = opened.fact("closes_s")
    return answer | {"votes": opened.count(), "closes": stamp(closes_s), "closed": opened.closed()}


def _refuse_without_films(opened: Poll) -> None:
    """Raise `UserError` where people would be asked about films that are not there; a result needs none."""
    folder = opened.folder / "films"
    gone = [name for name in opened.files if not (folder / name).is_file()]
    if gone and not opened.closed():
        raise UserError(
            f"{folder} lacks {' and '.join(gone)}, so there is nothing to vote on; bring the files back, or "
            "make a new poll: vector-tl poll RECORDING --left scratch --right transfer --out FOLDER"
        )


def _decide_who_votes(opened: Poll, settings: PollSettings) -> None:
    """Whether a poll is by invitation, once and for all, when it is first served or exported."""
    if opened.fact("invitations") is None:
        begun = opened.fact("opened_s") is not None
        opened.remember(invitations=INVITATIONS if settings.leaves and not begun else 0)
    if settings.leaves and not opened.invitations:
        log.warning(
            "This vote is open to all who have the page's address, and one person can vote several times; "
            "a new poll with --invitations N gives each voter one vote."
        )


def _address(settings: PollSettings, own: str) -> str:
    """Where voters find the page: at --url where that is given, else at `own`."""
    return f"{settings.url.rstrip('/')}/" if settings.url else own


def _serve(opened: Poll, settings: PollSettings) -> str:
    """Serve the page until SIGINT or SIGTERM. Returns its address."""
    from vector_tl.poll.server import poll_app  # here: a result comes sooner without a server
    from vector_tl.web.server import PageServer, bind

    warn_if_open(settings.host, "see the films and vote")
    port = settings.port if settings.port is not None else opened.fact("port") or 0
    with bind(settings.host, port) as bound:
        port = bound.getsockname()[1]
        opened.open()
        opened.remember(port=port)
        base = page = _address(settings, f"http://{address(settings.host, port)}/")
        if not is_loopback(settings.host) and not opened.invitations:
            page += f"?i={opened.voters.common_token()}"
        _write_invitations(opened, base)
        server = PageServer(poll_app(opened, settings.host, settings.url), bound)  # takes connections now
        until = f"{'closed at' if opened.closed() else 'open until'} {stamp(opened.fact('closes_s'))}"
        votes = counted(opened.count(), "vote")
        log.info("the poll is at %s (%s; %s so far; end with Ctrl-C)", page, until, votes)
        server.run_until_signal()
    return page


def _write_invitations(opened: Poll, base: str) -> None:
    """Write the personal addresses of a poll by invitation into its folder; nothing for an open one."""
    count = opened.invitations
    if not count:
        return
    path = opened.folder / "invitations.txt"
    lines = [f"{base}?i={opened.voters.invitation(number)}\n" for number in range(1, count + 1)]
    write_atomic(path, "".join(lines), private=True)
    log.info("a personal address for each voter is in %s", path)
