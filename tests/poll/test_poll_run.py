"""The poll without its server: films that do not tell, votes, codes, result, files."""

import base64
import csv
import json
import os
import sqlite3
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.errors import Refused, UsageError, UserError
from vector_tl.poll import storage
from vector_tl.poll.publish import export, page_html, result_data, take_votes, votes_csv
from vector_tl.poll.result import result, wilson
from vector_tl.poll.run import poll
from vector_tl.poll.settings import PollSettings
from vector_tl.poll.storage import FILE
from vector_tl.poll.votes import Poll
from vector_tl.poll.words import MAX_WHY, clean

NAMES = ("Gargantua", "Pantagruel")


@dataclass
class Fixed:
    """A detector that always sees the same boxes; remembers how it was asked."""

    boxes_xyxy: np.ndarray
    name: str
    init: str
    threshold: float = 0.9
    arch: str = "ssd"

    def __call__(self, image, threshold):
        self.asked = threshold
        self.scores = np.linspace(0.9, 0.6, len(self.boxes_xyxy), dtype=np.float32)
        return self


def blind() -> tuple[Fixed, Fixed]:
    box = np.array([[100, 60, 200, 120]], np.float32)
    return Fixed(np.zeros((0, 4), np.float32), NAMES[0], "scratch"), Fixed(
        box, NAMES[1], "coco", threshold=0.2
    )


def images(folder: Path, count: int = 8) -> Path:
    folder.mkdir()
    for index in range(count):
        image = np.full((180, 320, 3), 20 + 25 * index, np.uint8)
        cv2.imwrite(str(folder / f"p{index}.png"), image)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A poll's folder, made once; tests that vote copy its facts with `fresh`."""
    folder = tmp_path_factory.mktemp("poll")
    poll(
        PollSettings(images(folder / "in"), *NAMES, folder / "poll", no_serve=True, width=320, fps=10),
        *blind(),
    )
    return folder / "poll"


@pytest.fixture
def fresh(tmp_path) -> Poll:
    films = [
        {"file": f"{sign * 16}.mp4", "model": name, "caption": name.lower()}
        for sign, name in zip("ab", NAMES)
    ]
    (tmp_path / "poll").mkdir()
    opened = Poll.create(
        tmp_path / "poll", films, hours=24, question="Which?", contact="a@b.c", invitations=0, threshold=0.5
    )
    opened.open()
    yield opened
    opened.close()


def code(poll_id: str, **said) -> str:
    said = {"p": poll_id, "v": "0" * 32, "s": "left", "l": "a" * 16 + ".mp4", "w": "", "t": 2e9} | said
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    return f"VP1.{body}.{zlib.crc32(body.encode()):08x}"


# Films.


@pytest.mark.fast
def test_films_show_the_same_frames_without_a_word(made):
    films = sorted((made / "films").iterdir())
    assert len(films) == 2 and all(len(path.stem) == 16 and path.suffix == ".mp4" for path in films)
    levels = []
    for path in films:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt, stream.average_rate) == (
                "h264",
                "yuv420p",
                10,
            )
            assert stream.codec_context.width == 320 and stream.codec_context.height == 180, (
                "no bar, no footer"
            )
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        levels.append([round(float(np.median(frame[150:, :]))) for frame in frames])
        assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat"), "fast start"
    assert levels[0] == levels[1] and len(levels[0]) == 36 and len(set(levels[0])) == 8


@pytest.mark.fast
def test_nothing_written_for_voters_names_a_model(made, tmp_path):
    opened = Poll(made)
    names = export(opened, tmp_path / "out")
    opened.close()
    assert (
        {"index.html", "base.css", "poll.css", "poll.js", "README.txt"} < set(names)
        and len(names) == 7
        and "result.html" not in names
    )
    for path in [*(made / "films").iterdir(), *(tmp_path / "out").rglob("*")]:
        assert not betraying(path.name.encode())
        if path.is_file():
            assert not betraying(path.read_bytes()), path
    times = {
        path.stat().st_mtime
        for path in [*(made / "films").iterdir(), *(tmp_path / "out" / "films").iterdir()]
    }
    assert times == {0.0}, "file times would tell which was made first"


def betraying(data: bytes) -> list[str]:
    """Words in `data` that would say whose a film is, or by what it was made."""
    words = [*NAMES, "scratch", "transfer", "coco", "x264", "lavf", "lavc", "safetensors"]
    return [word for word in words if word.lower().encode() in data.lower()]


@pytest.mark.fast
def test_one_threshold_for_both_and_a_folder_of_its_own(tmp_path):
    both = blind()
    said = poll(
        PollSettings(images(tmp_path / "in", 2), *NAMES, tmp_path / "poll", threshold=0.35, no_serve=True),
        *both,
    )
    assert [model.asked for model in both] == [0.35, 0.35] and said["votes"] == 0 and said["closes"] is None
    assert (
        stat.S_IMODE((tmp_path / "poll").stat().st_mode) == 0o700
        and stat.S_IMODE((tmp_path / "poll" / FILE).stat().st_mode) == 0o600
    )
    with pytest.raises(UserError, match="holds a poll"):
        poll(PollSettings(tmp_path / "in", *NAMES, tmp_path / "poll"), *both)
    with pytest.raises(UserError, match="is a poll already"):
        poll(PollSettings(tmp_path / "poll", *NAMES, tmp_path / "again"), *both)


@pytest.mark.fast
def test_a_poll_that_fails_leaves_nothing(tmp_path):
    def broken(image, threshold):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poll(PollSettings(images(tmp_path / "in", 2), *NAMES, tmp_path / "poll"), broken, broken)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


# Votes.


@pytest.mark.fast
def test_without_its_films_nobody_is_asked(fresh, tmp_path):
    folder = fresh.folder
    fresh.close()
    with pytest.raises(UserError, match=r"lacks .*\.mp4 and .*\.mp4.*vector-tl poll RECORDING"):
        poll(PollSettings(folder, export=tmp_path / "page"))
    assert not (tmp_path / "page").exists()


@pytest.mark.fast
def test_a_vote_counts_for_the_film_on_that_side(fresh):
    for number in range(40):
        voter = f"{number:032x}"
        fresh.vote(voter, "left" if fresh.voters.sides(voter)[0].startswith("a") else "right")
    fresh.vote("x", "none", "no idea")
    said = result(fresh)
    assert (said["votes"], said["decided"], said["no_difference"]) == (41, 40, 1) and said[
        "chose_left"
    ] + said["chose_right"] == 40
    assert 5 < said["chose_left"] < 35, "sides are drawn by lot"
    assert [film["votes"] for film in said["films"]] == [40, 0] and said["why_no_difference"] == ["no idea"]
    assert not said["closed"] and all(
        film["model"] is None and film["caption"] is None for film in said["films"]
    )
    assert [film["model"] for film in result(fresh, reveal=True)["films"]] == list(NAMES)
    fresh.end()
    assert [film["model"] for film in result(fresh)["films"]] == list(NAMES)
    json.dumps(said, allow_nan=False)


@pytest.mark.fast
def test_one_vote_each_in_time(fresh):
    fresh.vote("a", "left")
    for voter, side, at_s, status in [
        ("a", "right", None, 409),
        ("b", "up", None, 400),
        ("b", None, None, 400),
        ("b", ["left"], None, 400),
        ("b", "left", fresh.fact("opened_s") - 1, 403),
        ("b", "left", fresh.fact("closes_s"), 410),
    ]:
        with pytest.raises(Refused) as refusal:
            fresh.vote(voter, side, at_s=at_s)
        assert refusal.value.status == status
    assert fresh.voted("a") == "left" and fresh.voted("b") is None and fresh.count() == 1


@pytest.mark.fast
def test_votes_and_sides_outlive_the_process(fresh):
    fresh.vote("a", "left", "why not")
    again = Poll(fresh.folder)  # while the other still has it open, as after a kill
    assert (
        again.voted("a") == "left"
        and again.voters.sides("a") == fresh.voters.sides("a")
        and again.voters.sign("voter", "a") == fresh.voters.sign("voter", "a")
    )
    with pytest.raises(Refused, match="already"):
        again.vote("a", "right")
    again.end()
    assert fresh.closed(), "closing by another process is seen"
    with pytest.raises(UserError, match="closed"):
        again.last(48)
    again.close()


@pytest.mark.fast
def test_a_full_disk_is_told_and_loses_nothing_that_was_answered(fresh):
    fresh._database.execute("PRAGMA max_page_count = 12")
    counted = 0
    with pytest.raises(Refused, match="not counted") as refusal:
        for number in range(10_000):
            fresh.vote(f"{number:032x}", "left", "x" * 400)
            counted += 1
    assert refusal.value.status == 503 and fresh.count() == counted > 5


@pytest.mark.fast
def test_the_clock_starts_with_the_first_opening(fresh):
    before = fresh.fact("opened_s")
    fresh.open()
    assert fresh.fact("opened_s") == before and fresh.fact("closes_s") == before + 24 * 3600
    fresh.last(48)
    assert (
        fresh.fact("closes_s") == before + 48 * 3600
        and not fresh.closed(before + 47 * 3600)
        and fresh.closed(before + 48 * 3600)
    )


@pytest.mark.fast
def test_invitations(fresh):
    assert fresh.voters.invited(fresh.voters.invitation(1)) is None, "none were made"
    fresh.remember(invitations=3)
    token = fresh.voters.invitation(2)
    assert fresh.voters.invited(token) == "invited-2"
    for wrong in (
        "",
        "2",
        "2-",
        token + "0",
        token[:-1],
        "3" + token[1:],
        fresh.voters.invitation(4),
        "0" + token,
        "²-" + token,
        "-".join(["1"] * 9),
        "\udc80",
    ):
        assert fresh.voters.invited(wrong) is None


@pytest.mark.fast
@pytest.mark.parametrize(
    "words, kept",
    [
        ("", ""),
        ("  a \n\t b ", "a b"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\x00b\u202eb\ud800c", "a b b c"),
        ("👩\u200d🔧 ok", "👩\u200d🔧 ok"),
        ("e\u0301", "é"),
        ("x" * MAX_WHY, "x" * MAX_WHY),
    ],
)
def test_words_are_kept_clean(words, kept):
    assert clean(words) == kept


@pytest.mark.fast
@pytest.mark.parametrize("words", ["x" * (MAX_WHY + 1), None, 3, ["a"], {"a": 1}, b"a"])
def test_words_that_are_refused(words):
    with pytest.raises(Refused):
        clean(words)


@given(st.text(max_size=MAX_WHY))
def test_no_text_breaks_out_of_the_page(words):
    html = page_html({"mode": "notice", "text": words + "</script><!--"})
    block = html.split('id="data">')[1].split("</script>")[0]
    assert json.loads(block)["text"] == words + "</script><!--" and not set("<>&") & set(block)
    clean(words).encode()


@pytest.mark.fast
@pytest.mark.parametrize(
    "share_of, total, low, high",
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (60, 100, 0.5020, 0.6906),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_wilson(share_of, total, low, high):
    assert wilson(share_of, total) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) is None


@pytest.mark.fast
def test_a_result_without_votes_is_plain_json(fresh):
    said = result(fresh)
    assert said["films"][0]["share"] is None and said["films"][0]["interval95"] is None
    json.dumps(said, allow_nan=False)
    assert "result" not in result_data(fresh) and result_data(fresh)["votes"] == 0


# Codes, files.


@pytest.mark.fast
def test_codes_are_counted_as_they_come_by_mail(fresh):
    a, b = fresh.files
    now = fresh.fact("opened_s") + 60
    first = code(fresh.id, l=b, w="ünïcode 🙂 <b>", t=now)
    second = code(fresh.id, v="1" * 32, l=b, s="right", t=now)
    folded = "\n> > ".join(second[at : at + 60] for at in range(0, len(second), 60))
    said = take_votes(fresh, f"Hello,\nmy code: {first}.\n\n> > {folded}\nagain {first}")
    assert (said["taken"], said["repeated"], said["refused"], said["votes"]) == (2, 1, [], 2)
    assert [(vote["film"], vote["why"], vote["way"]) for vote in fresh.votes()] == [
        (b, "ünïcode 🙂 <b>", "code"),
        (a, "", "code"),
    ]


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"p": "other"},
        {"v": "short"},
        {"v": 3},
        {"v": "invited-1"},
        {"s": "up"},
        {"l": "c.mp4"},
        {"l": None},
        {"w": 3},
        {"w": "x" * 501},
        {"t": "soon"},
        {"t": 0},
        {"t": None},
        {"t": float("nan")},
        {"t": 1e12},
        {"t": 5},
    ],
)
def test_codes_that_are_refused(fresh, wrong):
    said = take_votes(fresh, code(fresh.id, **({"t": fresh.fact("opened_s") + 60} | wrong)))
    assert said["taken"] == said["repeated"] == 0 and len(said["refused"]) == 1 and said["refused"][0]["why"]


@pytest.mark.fast
def test_damaged_codes_and_other_text(fresh):
    good = code(fresh.id, t=fresh.fact("opened_s") + 60)
    assert len(take_votes(fresh, good[:20] + "x" + good[21:])["refused"]) == 1
    deep = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
    for body in ("AAAA", "W10", "MQ", deep):
        assert len(take_votes(fresh, f"VP1.{body}.{zlib.crc32(body.encode()):08x}")["refused"]) == 1
    for text in ("", "no code here", good[:-3], "VP1..00000000", "VP1." * 1000):
        assert take_votes(fresh, text) == {"taken": 0, "repeated": 0, "refused": [], "votes": 0}


@pytest.mark.fast
def test_codes_of_a_poll_by_invitation(fresh):
    fresh.remember(invitations=2)
    now = fresh.fact("opened_s") + 60
    text = "\n".join(
        code(fresh.id, v=voter, t=now)
        for voter in (
            fresh.voters.invitation(1),
            fresh.voters.invitation(1),
            fresh.voters.invitation(3),
            "0" * 32,
        )
    )
    said = take_votes(fresh, text)
    assert (said["taken"], said["repeated"], len(said["refused"])) == (1, 1, 2)


@pytest.mark.fast
def test_csv_holds_no_formula_and_no_model_before_the_end(fresh):
    fresh.vote("a" * 32, "left", '=HYPERLINK("http://x")')
    fresh.vote("b" * 32, "none", 'a, "b"; c')
    rows = list(csv.DictReader(votes_csv(fresh).splitlines()))
    assert [row["why"] for row in rows] == ['\'=HYPERLINK("http://x")', 'a, "b"; c'] and {
        row["model"] for row in rows
    } == {""}
    assert rows[0]["side"] == "left" and rows[0]["film"] == rows[0]["left_film"] and rows[1]["film"] == ""
    fresh.end()
    rows = list(csv.DictReader(votes_csv(fresh).splitlines()))
    assert rows[0]["model"] in NAMES and rows[1]["model"] == ""


@pytest.mark.fast
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_command_on_an_existing_poll(made, tmp_path, encoding):
    shared = {"input": tmp_path / "copy"}
    os.mkdir(shared["input"])
    for path in made.rglob("*"):
        target = shared["input"] / path.relative_to(made)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    opened = Poll(shared["input"])
    opened.open()
    opened.remember(invitations=2)
    codes = tmp_path / "codes.txt"
    codes.write_text(
        code(
            opened.id,
            v=opened.voters.invitation(1),
            l=opened.files[0],
            t=opened.fact("opened_s") + 1,
            w="mine",
        ),
        encoding,
    )
    opened.close()
    said = poll(PollSettings(**shared, take_votes=codes, csv=tmp_path / "votes.csv", result=True))
    assert (
        said["taken"] == 1
        and said["votes"] == 1
        and not said["closed"]
        and said["films"][0]["votes"] == 1
        and said["films"][0]["model"] is None
    )
    assert "mine" in (tmp_path / "votes.csv").read_text()
    with pytest.raises(UserError, match="overwrite"):
        poll(PollSettings(**shared, csv=tmp_path / "votes.csv"))
    assert poll(PollSettings(**shared, result=True, reveal=True))["films"][0]["model"] in NAMES
    out = tmp_path / "out"
    assert (
        "result.html" not in poll(PollSettings(**shared, export=out, url="https://poll.example.org"))["files"]
    )
    lines = (shared["input"] / "invitations.txt").read_text().splitlines()
    assert len(lines) == 2 and lines[0].startswith("https://poll.example.org/?i=1-")
    with pytest.raises(UserError, match="overwrite"):
        poll(PollSettings(**shared, export=out))
    assert "result.html" in poll(PollSettings(**shared, close=True, export=out, overwrite=True))["files"]
    page = (out / "result.html").read_text()
    assert all(name in page for name in NAMES) and "mine" in page
    with pytest.raises(UserError, match="own folder"):
        poll(PollSettings(**shared, export=shared["input"], overwrite=True))


@pytest.mark.fast
@pytest.mark.parametrize("content", [None, b"", b"no database", "folder"])
def test_what_is_no_poll(tmp_path, content):
    if content == "folder":
        (tmp_path / FILE).mkdir()
    elif content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError):
        poll(PollSettings(tmp_path, result=True))


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"left": "a"},
        {"left": "a", "right": "b"},
        {"out": Path("p")},
        {"hours": 0.0},
        {"hours": 1e9},
        {"port": 70000},
        {"threshold": 2.0},
        {"fps": 0.0},
        {"width": 10},
        {"invitations": 5},
        {"question": "x" * 301},
        {"contact": "x" * 301},
        {"url": "poll.example.org"},
        {"url": "ftp://a"},
    ],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        PollSettings(**({"input": Path("a")} | wrong)).check()


def test_a_disk_that_is_full_for_the_polls_file_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args, **_more):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Poll, "create", full)
    asked = PollSettings(images(tmp_path / "in", 2), left="a", right="b", out=tmp_path / "poll")
    with pytest.raises(UserError, match=r"Cannot write .*poll: database or disk is full"):
        poll(asked, *blind())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_poll_on_a_disk_that_can_only_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def refuses(_path):
        raise sqlite3.OperationalError("unable to open database file")

    (tmp_path / FILE).write_bytes(b"whole")
    monkeypatch.setattr(storage, "_open", refuses)
    with pytest.raises(UserError, match="header .unable to open"):
        Poll(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="cannot be written to.*copy the whole folder to another place"):
        Poll(tmp_path)
