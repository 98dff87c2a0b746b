"""What a poll gives away: its pages, served or as static files, votes as codes for the latter, and the CSV.

A page is one template with a block of data; its script fills it in.
"""

import base64
import binascii
import csv
import io
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

from vector_tl.errors import Refused, UserError, cannot_write
from vector_tl.files import write_atomic
from vector_tl.forms import parse_json
from vector_tl.poll.clock import stamp
from vector_tl.poll.contents import Code
from vector_tl.poll.result import result
from vector_tl.poll.votes import Poll
from vector_tl.poll.words import MAX_WHY
from vector_tl.web import pages
from vector_tl.web.access import POLICY
from vector_tl.web.server import SHARED

PAGE = Path(__file__).parent / "page"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_CODE = re.compile(r"VP1\.([\w\s>=-]{1,20000}?)\.([0-9a-f]{8})(?![0-9a-f])")


def page_html(data: dict[str, Any], exported: bool = False) -> str:
    """The page for `data`, which is escaped so that no text in it can end its block.

    Args:
        data: its `mode` says which page: vote, code, result or notice.
        exported: for a host that sends no headers, or to be opened from a disk.
    """
    return pages.render("poll/page/poll.html", data=data, exported=exported, policy=POLICY)


def plain_script(name: str = "poll.js", done: set[str] | None = None) -> str:
    """A module of the page and those that it imports as one plain script."""
    done = {name} if done is None else done
    path = next(folder / name for folder in (PAGE, SHARED) if (folder / name).exists())
    text = path.read_text(encoding="utf-8")
    parts = []
    for other in _IMPORT.findall(text):
        if other not in done:
            done.add(other)
            parts.append(plain_script(other, done))
    return "".join(parts) + re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE)


def shown(poll: Poll, **more: Any) -> dict[str, Any]:
    """What every page of a poll may know; nothing in it says which film is whose."""
    facts = {
        name: poll.fact(name) for name in ("question", "closes_s", "fps", "seconds", "size_wh", "threshold")
    }
    return {"poll": poll.id, "longest_why": MAX_WHY} | facts | more


def result_data(poll: Poll, reveal: bool = False, warning: str | None = None) -> dict[str, Any]:
    """The data of the result page: only how many have voted, while voting is open and not to be revealed.

    Args:
        poll: whose result it is.
        reveal: whether the whole result is shown at any time.
        warning: what is shown of double votes while voting is open.
    """
    if not poll.closed() and not reveal:
        return shown(poll, mode="notice", notice="open", votes=poll.count(), warning=warning)
    return shown(poll, mode="result", result=result(poll, reveal))


def export(poll: Poll, folder: Path, reveal: bool = False, overwrite: bool = False) -> list[str]:
    """Write the poll as static files for any web host.

    Returns:
        Their names.

    Raises:
        UserError: the folder holds something already, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise UserError(f"{folder} exists already; choose another name or add --overwrite.")
    if folder.resolve() == poll.folder.resolve():
        raise UserError(
            f"{folder} is the poll's own folder, which says which model made which film; export to another."
        )
    poll.open()
    # The film names in the order of the alphabet: the page draws the sides itself.
    data = shown(
        poll,
        mode="code",
        files=[f"films/{file}" for file in poll.files],
        contact=poll.fact("contact"),
        invited=poll.invitations > 0,
    )
    write_atomic(folder / "index.html", page_html(data, exported=True))
    if poll.closed() or reveal:
        write_atomic(folder / "result.html", page_html(result_data(poll, reveal), exported=True))
    for style in (SHARED / "base.css", PAGE / "poll.css"):
        write_atomic(folder / style.name, style.read_bytes())
    write_atomic(folder / "poll.js", '"use strict";\n' + plain_script())
    write_atomic(
        folder / "README.txt",
        "Put this folder on any web host. A vote is a code that the voter sends back; count them, before the "
        "voting closes, with:\n\nvector-tl poll POLL --take-votes CODES.txt\n",
    )
    try:
        (folder / "films").mkdir(exist_ok=True)
        for file in poll.files:
            # with its time, which is the same for both
            shutil.copy2(poll.folder / "films" / file, folder / "films" / file)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def take_votes(poll: Poll, text: str) -> dict[str, Any]:
    """Count the codes in a text: mails as they came, with quote marks and broken lines.

    Codes that were counted before do no harm. The others must arrive before the voting closes, by this
    computer's clock: when a code says that it was made, its maker chooses.

    Returns:
        {"taken", "repeated", "refused": [{"code", "why"}], "votes"}
    """
    taken, repeated = 0, 0
    refused: list[dict[str, Any]] = []
    for number, match in enumerate(_CODE.finditer(text), 1):
        try:
            vote = _read_code(poll, re.sub(r"[\s>=]", "", match[1]), match[2])
            poll.vote(**vote, way="code")
            taken += 1
        except Refused as error:
            repeated += error.status == 409
            if error.status != 409:
                refused.append({"code": number, "why": str(error)})
    return {"taken": taken, "repeated": repeated, "refused": refused, "votes": poll.count()}


def _read_code(poll: Poll, body: str, checksum: str) -> dict[str, Any]:
    """The vote in a code, as `Poll.vote` takes it.

    Raises:
        Refused: it was damaged, holds no vote, or is not for this poll.
    """
    if f"{zlib.crc32(body.encode()):08x}" != checksum:
        raise Refused(400, "The code was damaged on its way; ask for it again.")
    try:
        data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        code = parse_json(data, Code, "The code", "ask for it again")
    except (binascii.Error, UserError) as error:
        raise Refused(400, "The code does not hold a vote.") from error
    if code["p"] != poll.id:
        raise Refused(400, "The code belongs to another poll.")
    voter, side, left, why, said_s = code["v"], code["s"], code["l"], code["w"], float(code["t"])
    if left not in poll.files:
        raise Refused(400, "The code does not hold a vote.")
    if poll.invitations:
        voter = poll.voters.invited(voter)
        if voter is None:
            raise Refused(403, "The code comes without one of the poll's invitations.")
    elif not re.fullmatch(r"[0-9a-f]{32}", voter):
        raise Refused(400, "The code does not hold a vote.")
    return {"voter": voter, "side": side, "left_film": left, "why": why, "said_s": said_s}


def votes_csv(poll: Poll, reveal: bool = False) -> str:
    """The votes as CSV, one in a line; no word in it is a formula to a spreadsheet."""
    models = {film["file"]: film["model"] for film in poll.fact("films")} if reveal or poll.closed() else {}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["at", "voter", "side", "left_film", "film", "model", "why", "way", "address"])
    for vote in poll.votes():
        why = vote["why"]
        why = f"'{why}" if why[:1] in ("=", "+", "-", "@", "\t", "\r") else why
        voter = vote["voter"] if vote["voter"].startswith("invited-") else vote["voter"][:8]
        rows.writerow(
            [
                stamp(vote["at_s"]),
                voter,
                vote["side"],
                vote["left_film"],
                vote["film"] or "",
                models.get(vote["film"], ""),
                why,
                vote["way"],
                (vote["address"] or "")[:8],
            ]
        )
    return out.getvalue()
