"""Measures how soon the wheels stand still after each kind of fault while `find` drives.

    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl [--repeats 20] [--only "no frames"]
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --proxy         (a slow network between)
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --pairs-minutes 30
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --quiet-minutes 60
    .venv/bin/python scripts/trials/fault_trials.py RESULTS.jsonl --table

The finder is a process of its own and runs as with a robot (real time, its own guard, link and watchdog); its
detector sees nothing, so that it searches without end: the fault begins while the wheels turn. The wheels'
true speeds judge, by the simulator's log: the time from the fault to 0 for good, as long as the fault lasts.
See `fault_kinds.py` for the faults. A run that was broken off continues where it stopped.
"""

import json
import random
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from fault_kinds import FAULTS, Fault
from fault_rig import Rig

from vector_tl.errors import UserError

GOAL_MS, WORST_MS = 500, 700
RESUME_S = 8.0
SEEN_MS = 900  # so long a fault that is over is watched
SLOW_MS = (50.0, 500.0)  # one way, through the slow network
# One-way delays that belong to the network, not to the guard. A stop over the connection there is: the frame
# or state that does not come, the stop, and twice the same where control must be asked for. Over a new one:
# TLS there and back, HTTP/2's settings there and back, the request for states and its answer, and then the
# request for control (the rule of stopping asks only when it sees the wheels turn at our speeds).
OWN_DELAYS, NEW_DELAYS = 4, 7
WATCHED_DELAYS, RESUME_DELAYS = 12, 40  # for so long is watched: connecting anew takes eight round trips
# What the simulated robot never says without a cause; all other reasons are times that ran out.
OF_THE_WORLD = ("control lost", "moved by hand", "cliff", "picked up", "on its side", "falling")
APART_S = 0.6  # between the faults of a pair, at most


@dataclass(frozen=True)
class FaultTrials:
    """Run fault trials, or (--table) show those that were run."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    repeats: int = 20
    """Trials of each fault."""
    only: tuple[str, ...] = ()
    """Run only these faults, named as in the table."""
    jobs: int = 1
    """So many trials side by side, each with a simulator of its own."""
    proxy: bool = False
    """With a network between that delays by 50 to 500 ms each way."""
    pairs_minutes: float = 0.0
    """Instead: so many minutes of two faults drawn at random, one shortly after the other."""
    quiet_minutes: float = 0.0
    """Instead: so many minutes without any fault, to count stops without a cause."""
    table: bool = False
    """Only print the table."""


def in_slow_network(fault: Fault, delay_ms: float) -> Fault:
    """The same fault where everything comes `delay_ms` later each way.

    It lasts longer, so that what the network brings late still comes while it lasts; answers are late beyond
    what the guard knows to be usual there.
    """
    if not delay_ms or not fault.lasts_ms or fault.how == "client" or fault.judged == "ours":
        return fault
    longer_ms = OWN_DELAYS * delay_ms
    if fault.how == "app":
        word, *seconds = fault.what.split(" ")
        orders = [f"{float(number) + longer_ms / 1000:g}" for number in seconds]
        return replace(fault, what=" ".join([word, *orders]), lasts_ms=fault.lasts_ms + longer_ms)
    if fault.what == "rpc_latency":
        late_ms = dict(fault.numbers)["latency_ms"] + 2 * delay_ms
        return replace(
            fault,
            numbers=(("latency_ms", late_ms),),
            lasts_ms=fault.lasts_ms + longer_ms,
            out_of_reach_ms=late_ms,
        )
    return fault if fault.out_of_reach_ms else replace(fault, lasts_ms=fault.lasts_ms + longer_ms)


def trial(fault: Fault, world: int, slow: bool) -> dict[str, Any]:
    """One fault in a room of its own."""
    delay_ms = random.Random(world).uniform(*SLOW_MS) if slow else 0.0
    fault = in_slow_network(fault, delay_ms)
    networked, has_terminal = slow or fault.how == "proxy", fault.how == "terminal"
    with Rig(world, delay_ms, networked, has_terminal) as rig:
        rig.wait_until_turning()
        begin_ms = rig.strike(fault)
        over_first = fault.out_of_reach_ms or not fault.lasts_ms
        after_ms = SEEN_MS + WATCHED_DELAYS * delay_ms if over_first else OWN_DELAYS * delay_ms
        time.sleep((fault.lasts_ms + after_ms) / 1000 + 0.1)
        row = {"fault": fault.name, "stopped_ms": rig.stopped_after_ms(fault, begin_ms)}
        if delay_ms:
            row["delay_ms"] = round(delay_ms)
        rig.end_fault(fault)
        if fault.survives:
            row["resumed"] = rig.turns_within(RESUME_S + RESUME_DELAYS * delay_ms / 1000)
        return row | rig.end()


def pairs(minutes: float, keep_row: Any) -> None:
    """Two faults of those that the app survives, one shortly after the other, again and again."""
    rng, until_s = random.Random(time.time()), time.monotonic() + minutes * 60
    survived = [fault for fault in FAULTS.values() if fault.survives and fault.judged == "stand"]
    while time.monotonic() < until_s:
        first, second = rng.sample(survived, 2)
        if first.how == second.how == "app":  # the detector takes the second order when the first is over
            continue
        apart_s = rng.uniform(0.0, APART_S)
        with Rig(rng.randrange(100, 400), networked="proxy" in (first.how, second.how)) as rig:
            rig.wait_until_turning()
            rig.strike(first)
            time.sleep(apart_s)
            begin_ms = rig.strike(second)
            apart_ms = apart_s * 1000
            unreachable_ms = max(first.out_of_reach_ms - apart_ms, second.out_of_reach_ms, 0.0)
            lasts_ms = max(first.lasts_ms - apart_ms, second.lasts_ms, unreachable_ms + SEEN_MS)
            time.sleep(lasts_ms / 1000 + 0.1)
            row: dict[str, Any] = {
                "pair": [first.name, second.name],
                "apart_ms": round(apart_ms),
                "stopped_ms": rig.stopped_after_ms(replace(second, out_of_reach_ms=unreachable_ms), begin_ms),
            }
            for fault in (first, second):
                rig.end_fault(fault)
            row["resumed"] = rig.turns_within(RESUME_S)
            keep_row(row | rig.end())


def quiet(minutes: float) -> dict[str, Any]:
    """Nothing happens: how often does the guard stop the wheels all the same?"""
    with Rig(300) as rig:
        rig.wait_until_turning()
        begin_s = time.monotonic()
        rooms = 1
        while time.monotonic() < begin_s + minutes * 60 and rig.alive:
            time.sleep(1.0)
            if time.monotonic() > begin_s + 480 * rooms:  # another room, with a charged battery
                rig.truth.world(300 + rooms)
                rooms += 1
        lasted_s = time.monotonic() - begin_s
        return {"quiet_minutes": round(lasted_s / 60, 1), "rooms": rooms, "alive": rig.alive} | rig.end()


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    heads = (
        "fault",
        "trials",
        "wheels at 0 after, ms: median, 95 %, worst",
        "not stopped",
        "searched again",
        "what the app said",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    groups = defaultdict(list)
    single = [row for row in rows if "fault" in row]
    quick = [row for row in single if "delay_ms" not in row]
    for row in quick or single:  # those through a slow network have a summary of their own
        groups[row["fault"]].append(row)
    for name, fault in FAULTS.items():
        some = groups.get(name)
        if not some:
            continue
        times = [row["stopped_ms"] for row in some if row["stopped_ms"] is not None]
        took = f"{np.median(times):.0f}, {np.quantile(times, 0.95):.0f}, {max(times):.0f}" if times else "-"
        missed = str(len(some) - len(times))
        if fault.judged == "shout":
            shouted = sum(row["shouted"] for row in some)
            took, missed = "out of reach", f"shouted {shouted} of {len(some)}"
        again = str(sum(row["resumed"] for row in some)) if fault.survives else "-"
        reasons = sorted({stop["reason"] for row in some for stop in row["stops"]})
        lines.append(f"| {' | '.join((name, str(len(some)), took, missed, again, '; '.join(reasons)))} |")
    return "\n".join([*lines, "", *_summaries(rows)])


def _summaries(rows: list[dict[str, Any]]) -> list[str]:
    """All faults together, beside the goals; pairs; stops without a cause."""
    lines = []
    judged = [row for row in rows if "fault" in row and FAULTS[row["fault"]].judged != "shout"]
    for slow in (False, True):
        some = [row for row in judged if ("delay_ms" in row) == slow]
        if not some:
            continue
        parts = [(some, 0, "")]
        if slow:
            anew = [row for row in some if FAULTS[row["fault"]].connects_anew]
            kept = [row for row in some if not FAULTS[row["fault"]].connects_anew]
            parts = [
                (kept, OWN_DELAYS, f" through a slow network, less {OWN_DELAYS} one-way delays"),
                (anew, NEW_DELAYS, f" of a connection that must be made anew, less {NEW_DELAYS}"),
            ]
        for part, delays, which in parts:
            times = [
                row["stopped_ms"] - delays * row.get("delay_ms", 0)
                for row in part
                if row["stopped_ms"] is not None
            ]
            if times:
                lines.append(
                    f"{len(part)} trials{which}: wheels at 0 after {_spread(times)}, goals {GOAL_MS} (95 %) "
                    f"and {WORST_MS} (worst); not stopped in {len(part) - len(times)}."
                )
    paired = [row for row in rows if "pair" in row]
    if paired:
        times = [row["stopped_ms"] for row in paired if row["stopped_ms"] is not None]
        lines.append(
            f"{len(paired)} pairs of faults: wheels at 0 after the second {_spread(times)}; not stopped in "
            f"{len(paired) - len(times)}; searched again in {sum(row['resumed'] for row in paired)}."
        )
    for row in rows:
        if "quiet_minutes" in row:
            reasons = [stop["reason"] for stop in row["stops"]]
            causeless = [reason for reason in reasons if not reason.startswith(OF_THE_WORLD)]
            lines.append(
                f"{row['quiet_minutes']} minutes without a fault: {len(causeless)} stops without a cause "
                f"({', '.join(causeless) or 'none'}), {len(reasons) - len(causeless)} because it ran against "
                "something, stood at an edge or was taken over by a behaviour of the robot's own."
            )
    return lines


def _spread(times_ms: list[float]) -> str:
    """Median, 95 % and worst, in words."""
    middle, most = np.quantile(times_ms, (0.5, 0.95))
    return f"{middle:.0f} ms (median), {most:.0f} (95 %), {max(times_ms):.0f} (worst)"


def run_missing(settings: FaultTrials, rows: list[dict[str, Any]], keep_row: Any) -> None:
    """Run the trials that are not among the results yet."""
    names = settings.only or tuple(FAULTS)
    if unknown := set(names) - set(FAULTS):
        raise UserError(f"There is no fault {min(unknown)!r}; there are: {', '.join(FAULTS)}.")
    done = defaultdict(int)
    for row in rows:
        if "fault" in row:
            done[row["fault"], "delay_ms" in row] += 1
    missing = [
        (FAULTS[name], 100 + number)
        for number in range(settings.repeats)
        for name in names
        if done[name, settings.proxy] <= number
    ]

    def run(fault: Fault, world: int) -> None:
        try:
            keep_row(trial(fault, world, settings.proxy))
        except UserError as error:  # the next run repeats this one
            print(f"{fault.name}: {error}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(settings.jobs) as pool:
        for done_trial in [pool.submit(run, fault, world) for fault, world in missing]:
            done_trial.result()


def main(settings: FaultTrials) -> None:
    """Run the trials that are missing, or print the table."""
    there = settings.results.exists()
    rows = [json.loads(line) for line in settings.results.read_text().splitlines()] if there else []
    if settings.table:
        print(table(rows))
        return
    writing = threading.Lock()

    def keep_row(row: dict[str, Any]) -> None:
        with writing, settings.results.open("a") as file:
            kept = {key: value for key, value in row.items() if key != "said"}  # it names folders of here
            file.write(json.dumps(kept) + "\n")
            print(json.dumps(row), file=sys.stderr, flush=True)

    settings.results.parent.mkdir(parents=True, exist_ok=True)
    if settings.pairs_minutes:
        pairs(settings.pairs_minutes, keep_row)
    elif settings.quiet_minutes:
        keep_row(quiet(settings.quiet_minutes))
    else:
        run_missing(settings, rows, keep_row)


if __name__ == "__main__":
    try:
        main(tyro.cli(FaultTrials))
    except UserError as error:
        sys.exit(f"fault_trials: {error}")
