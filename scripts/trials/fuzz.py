"""Damages small files of every kind that the program reads, and judges what its readers make of them.

    .venv/bin/python scripts/trials/fuzz.py --out runs/fuzz [--count 1000] [--readers NAME ...]

Every reader (`tests/support/readers.py`) gets COUNT damaged files, as bytes and as values. It may read one,
or refuse it by a sentence that names the file, a place in it and a remedy; everything else is unexpected.
Prints a table by reader; what was unexpected stands in DIR/<reader>.json with seeds. Started again, it goes
on.
"""

import argparse
import json
import logging
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from support.mutations import Reader, judge
from support.readers import READERS

SLOW_S = 20  # of the processor; a file that takes longer is unexpected
SAVE_EVERY = 50
MAX_SEEDS = 5  # kept of each unexpected answer


class Slow(BaseException):
    """A reader took too long."""


def run(reader: Reader, count: int, state: Path, work: Path) -> dict:
    """Judge the files that have not been judged yet; what is known of all of them."""
    known = json.loads(state.read_text()) if state.exists() else {"done": 0, "counts": {}, "unexpected": {}}
    counts = Counter(known["counts"])
    good = work / "good"
    good.mkdir(parents=True)
    reader.make(good)
    content = (good / reader.file).read_bytes()
    for seed in range(known["done"], count):
        verdict = judge_one(reader, content, seed, good, work / "now")
        if verdict in ("read", "refused"):
            counts[verdict] += 1
        else:
            counts["unexpected"] += 1
            known["unexpected"].setdefault(re.sub(r"\d{3,}", "N", verdict), []).append(seed)
        if seed % SAVE_EVERY == SAVE_EVERY - 1 or seed == count - 1:
            state.write_text(json.dumps(known | {"done": seed + 1, "counts": counts}, indent=1))
    return known | {"counts": counts}


def judge_one(reader: Reader, content: bytes, seed: int, good: Path, now: Path) -> str:
    """What a reader makes of one damaged file."""
    shutil.copytree(good, now)
    (now / reader.file).write_bytes(reader.damaged(content, seed))
    signal.setitimer(signal.ITIMER_PROF, SLOW_S)
    try:
        return judge(reader, now)
    except Slow:
        return "too slow"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        shutil.rmtree(now)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--readers", nargs="*", choices=READERS, default=list(READERS))
    settings = parser.parse_args()
    settings.out.mkdir(parents=True, exist_ok=True)
    logging.disable()

    def too_slow(*_: object) -> None:
        raise Slow

    signal.signal(signal.SIGPROF, too_slow)
    total: Counter[str] = Counter()
    print(f"{'reader':24}{'files':>8}{'read':>8}{'refused':>9}{'unexpected':>12}{'seconds':>9}")
    for name in settings.readers:
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="vector-tl-fuzz-") as work:
            state = settings.out / (re.sub(r"\W+", "-", name) + ".json")
            found = run(READERS[name], settings.count, state, Path(work))
        counts = found["counts"]
        total += counts
        row = [sum(counts.values()), *(counts[key] for key in ("read", "refused", "unexpected"))]
        print(
            f"{name:24}{row[0]:8}{row[1]:8}{row[2]:9}{row[3]:12}{time.monotonic() - started_s:9.1f}",
            flush=True,
        )
        for what, seeds in sorted(found["unexpected"].items(), key=lambda item: -len(item[1])):
            print(f"    {len(seeds):5}  {what}  (seeds {', '.join(map(str, seeds[:MAX_SEEDS]))})")
    print(f"{'all':24}{sum(total.values()):8}{total['read']:8}{total['refused']:9}{total['unexpected']:12}")
    sys.exit(bool(total["unexpected"]))


if __name__ == "__main__":
    main()
