"""The tables of `find_trials.py`, in Markdown."""

import math
from collections import defaultdict

import numpy as np
from steering_laws import STOP_MM


def is_reached(row: dict) -> bool:
    """Whether the robot reached its place without a collision or a fall."""
    if not row["found"] or row["distance_mm"] is None:  # None: there is nobody to be reached
        return False
    there = abs(row["distance_mm"] - STOP_MM) <= 40 and abs(row["bearing_deg"]) <= 10
    return there and not row["collisions"] and not row["falls"]


def wilson(some: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of the share `some` / `count` (E. B. Wilson, 1927)."""
    middle, half = some + z * z / 2, z * math.sqrt(some * (count - some) / count + z * z / 4)
    return (middle - half) / (count + z * z), (middle + half) / (count + z * z)


def table(rows: list[dict]) -> str:
    """The results as a table in Markdown."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["kind"], row["law"], row["model"], row["fps"], row["delay_ms"]].append(row)
    heads = (
        "worlds of",
        "steering law",
        "model",
        "frames/s",
        "added delay, ms",
        "worlds",
        "reached",
        "95 % interval",
        "median time, s",
        "collided",
        "fell",
        "distance, mm (5 to 95 %)",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (kind, law, model, fps, delay_ms), some in sorted(
        groups.items(), key=lambda item: [str(part) for part in item[0]]
    ):
        reached = [row for row in some if is_reached(row)]
        low, high = wilson(len(reached), len(some))
        times = f"{np.median([row['time_to_found_s'] for row in reached]):.1f}" if reached else "-"
        there = [row["distance_mm"] for row in some if row["found"] and row["distance_mm"] is not None]
        distances = " to ".join(f"{np.percentile(there, share):.0f}" for share in (5, 95)) if there else "-"
        name = "-" if law == "oracle" else model
        lines.append(
            f"| {kind} | {law} | {name} | {fps:g} | {delay_ms:g} | {len(some)} | "
            f"{len(reached)} | {low:.2f} to {high:.2f} | {times} | "
            f"{sum(row['collisions'] > 0 for row in some)} | {sum(row['falls'] > 0 for row in some)} | "
            f"{distances} |"
        )
    return "\n".join(lines)


def follow_table(rows: list[dict]) -> str:
    """The results of --follow as a table in Markdown. Followed means: in reach for 90 % of the time."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["law"].removeprefix("follow "), row["model"], row["fps"], row["delay_ms"]].append(row)
    heads = (
        "target",
        "model",
        "frames/s",
        "added delay, ms",
        "worlds",
        "reached",
        "followed once reached",
        "95 % interval",
        "followed over all 60 s",
    )
    heads += (
        "share of time in reach, once reached: mean, median, minimum",
        "share of all 60 s: mean, median",
        "median time to reach, s",
        "times lost per run",
        "collided",
        "fell",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (motion, model, fps, delay_ms), some in sorted(
        groups.items(), key=lambda item: [str(part) for part in item[0]]
    ):
        once = np.array([row["followed_share"] or 0.0 for row in some])
        whole = np.array([row["followed_share_all"] or 0.0 for row in some])
        times = [row["time_to_found_s"] for row in some if row["found"]] or [math.nan]
        low, high = wilson(int((once >= 0.9).sum()), len(some))
        lines.append(
            f"| {motion} | {model} | {fps:g} | {delay_ms:g} | {len(some)} | "
            f"{sum(row['found'] for row in some)} | "
            f"{(once >= 0.9).sum()} | {low:.2f} to {high:.2f} | {(whole >= 0.9).sum()} | "
            f"{once.mean():.3f}, {np.median(once):.3f}, {once.min():.3f} | "
            f"{whole.mean():.3f}, {np.median(whole):.3f} | {np.median(times):.1f} | "
            f"{np.mean([row['losses'] for row in some]):.1f} | "
            f"{sum(row['collisions'] > 0 for row in some)} | {sum(row['falls'] > 0 for row in some)} |"
        )
    return "\n".join(lines)
