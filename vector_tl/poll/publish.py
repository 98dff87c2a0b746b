"""The pages of a poll: one shell with a block of data, served or written as static files; votes as codes for the latter; the CSV."""

import base64
import binascii
import csv
import io
import json
import re
import shutil
import zlib
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.poll.votes import LONGEST_WHY, SIDES, Poll, Refused, result, stamp
from vector_tl.web.guard import POLICY
from vector_tl.web.server import SHARED

PAGE = Path(__file__).parent / "page"
MODULE, PLAIN = '<script type="module" src="poll.js">', '<script defer src="poll.js">'
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_CODE = re.compile(r"VP1\.([\w\s>=-]{1,20000}?)\.([0-9a-f]{8})(?![0-9a-f])")


def page_html(data: dict, exported: bool = False) -> str:
    """The page for `data`, which is escaped so that no text in it can end its block.

    Args:
        data: its `mode` says which page: vote, code, result or notice.
        exported: for a host that sends no headers, or to be opened from a disk.
    """
    block = json.dumps(data)
    for sign in "<>&":
        block = block.replace(sign, f"\\u{ord(sign):04x}")
    html = (PAGE / "poll.html").read_text(encoding="utf-8")
    if exported:
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        html = html.replace("<!-- policy -->", policy).replace(MODULE, PLAIN)
    return html.replace("{{data}}", block)


def plain_script(name: str = "poll.js", done: set[str] | None = None) -> str:
    """A module and those that it imports as one plain script: a page opened from a disk may not load modules."""
    done = {name} if done is None else done
    path = next(folder / name for folder in (PAGE, SHARED) if (folder / name).exists())
    text = path.read_text(encoding="utf-8")
    parts = []
    for other in _IMPORT.findall(text):
        if other not in done:
            done.add(other)
            parts.append(plain_script(other, done))
    return "".join(parts) + re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE)


def shown(poll: Poll, **more) -> dict:
    """What every page of a poll may know; nothing in it tells which film is whose."""
    facts = {
        name: poll.fact(name) for name in ("question", "closes_s", "fps", "seconds", "size_wh", "threshold")
    }
    return {"poll": poll.id, "longest_why": LONGEST_WHY} | facts | more


def result_data(poll: Poll, reveal: bool = False) -> dict:
    """The data of the result page: only how many have voted, until voting has closed or `reveal` is said."""
    if not poll.closed() and not reveal:
        return shown(poll, mode="notice", notice="open", votes=poll.count())
    return shown(poll, mode="result", result=result(poll, reveal))


def export(poll: Poll, folder: Path, reveal: bool = False, overwrite: bool = False) -> list[str]:
    """Write the poll as static files for any host. Returns their names.

    Raises:
        UserError: the folder holds something already, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise UserError(f"{folder} exists already; choose another name or add --overwrite.")
    if folder.resolve() == poll.folder.resolve():
        raise UserError(
            f"{folder} is the poll's own folder, which holds the key to which film is whose; export to another."
        )
    poll.open()
    # The film names in the order of the alphabet: the page draws the sides itself.
    data = shown(
        poll,
        mode="code",
        files=[f"films/{file}" for file in poll.files],
        contact=poll.fact("contact"),
        invited=poll.fact("invitations") > 0,
    )
    write_atomic(folder / "index.html", page_html(data, exported=True))
    if poll.closed() or reveal:
        write_atomic(folder / "result.html", page_html(result_data(poll, reveal), exported=True))
    for style in (SHARED / "base.css", PAGE / "poll.css"):
        write_atomic(folder / style.name, style.read_bytes())
    write_atomic(folder / "poll.js", '"use strict";\n' + plain_script())
    words = "Put this folder on any web host. A vote is a code that the voter sends back"
    write_atomic(
        folder / "README.txt",
        f"{words}; count the codes with:\n\nvector-tl poll POLL --take-votes CODES.txt\n",
    )
    try:
        (folder / "films").mkdir(exist_ok=True)
        for file in poll.files:
            shutil.copy2(
                poll.folder / "films" / file, folder / "films" / file
            )  # with its time, the same for both
    except OSError as error:
        raise UserError(
            f"Cannot write {folder}: {error.strerror or error}. Free some space or choose another place."
        ) from error
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def take_votes(poll: Poll, text: str) -> dict:
    """Count the codes in a text: mails as they came, with quote marks and broken lines. Codes counted before do no harm."""
    taken, repeated, refused = 0, 0, []
    for number, match in enumerate(_CODE.finditer(text), 1):
        try:
            vote = _read_code(poll, re.sub(r"[\s>=]", "", match[1]), match[2])
            poll.vote(
                vote["voter"],
                vote["side"],
                vote["why"],
                way="code",
                left_film=vote["left_film"],
                at_s=vote["at_s"],
            )
            taken += 1
        except Refused as error:
            repeated += error.status == 409
            if error.status != 409:
                refused.append({"code": number, "why": str(error)})
    return {"taken": taken, "repeated": repeated, "refused": refused, "votes": poll.count()}


def _read_code(poll: Poll, body: str, checksum: str) -> dict:
    if f"{zlib.crc32(body.encode()):08x}" != checksum:
        raise Refused(400, "The code was damaged on its way; ask for it again.")
    try:
        said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        voter, side, left, why, at_s = said["v"], said["s"], said["l"], said["w"], float(said["t"])
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise Refused(400, "The code does not hold a vote.") from None
    if said.get("p") != poll.id:
        raise Refused(400, "The code belongs to another poll.")
    if not isinstance(voter, str) or side not in SIDES or left not in poll.files or not at_s > 0:
        raise Refused(400, "The code does not hold a vote.")
    if poll.fact("invitations"):
        voter = poll.invited(voter)
        if voter is None:
            raise Refused(403, "The code comes without one of the poll's invitations.")
    elif not re.fullmatch(r"[0-9a-f]{32}", voter):
        raise Refused(400, "The code does not hold a vote.")
    return {"voter": voter, "side": side, "left_film": left, "why": why, "at_s": at_s}


def votes_csv(poll: Poll, reveal: bool = False) -> str:
    """The votes as CSV, one a line; a spreadsheet takes none of the words for a formula."""
    models = {film["file"]: film["model"] for film in poll.fact("films")} if reveal or poll.closed() else {}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["at", "voter", "side", "left_film", "film", "model", "why", "way"])
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
            ]
        )
    return out.getvalue()
