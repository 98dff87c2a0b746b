"""What the page shows, as JSON: the board in numbers for people."""

import math
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from vector_tl.find.latency import percentiles_ms
from vector_tl.find.live.board import Board
from vector_tl.find.track import Target
from vector_tl.robot.base import RobotState

LATELY = 300  # turns of the loop whose latencies are summed up
SUMMARY_S = 1.0
FLAGS = ("picked_up", "falling", "being_held", "cliff", "on_charger")


class Reporter:
    """Makes the page's news of a board; figures that cost time are made anew once a second."""

    def __init__(self, live: Board):
        self._live = live
        self._summary_s, self._summary = -math.inf, dict[str, Any]()
        self.battery: dict[str, Any] | None = None

    def news(self) -> dict[str, Any]:
        """Everything but the image and the log."""
        live, shown = self._live, self._live.shown
        now_s = live.robot.now_s()
        news = {
            "run": live.state,
            "ended": live.ended,
            "about": live.about,
            "dry_run": live.settings.dry_run,
            "seconds": live.settings.seconds,
            "fps": _rounded(live.fps(), 1),
            "dropped": live.dropped,
            "stale": live.stale,
            "battery": self.battery,
            **self._latencies(),
            "stops": [
                {"t_s": _rounded(stop.t_s, 2), "reason": stop.reason} for stop in live.robot.stops[-3:]
            ],
        }
        if shown is None:
            return news
        command, state = shown.command, live.newest_state() or shown.state
        news |= {
            "image_id": shown.frame.image_id,
            "size_wh": list(shown.size_wh),
            "frame_age_ms": _rounded((now_s - shown.frame.received_s) * 1000),
            "link_delay_ms": _rounded(shown.delay_s * 1000),
            "boxes": _boxes(shown.boxes_xyxy, shown.scores),
            "mode": command.mode,
            "sent": shown.sent,
            "wanted_mmps": [_rounded(command.left_mmps), _rounded(command.right_mmps)],
            "target": shown.target and _target(shown.target),
            **_state(state, now_s),
        }
        if (also := live.also) is not None:
            news["also"] = {
                "name": also.name,
                "boxes": _boxes(also.boxes_xyxy, also.scores),
                "ms": _rounded(also.ms),
                "behind": shown.frame.image_id - also.image_id,
            }
        return news

    def ask_battery(self) -> None:
        """Renew what is known of the battery; takes up to some seconds."""
        try:
            answer = self._live.robot.battery()
        except Exception:  # a robot that does not answer now may answer later
            return
        if answer is not None:
            self.battery = asdict(answer) | {"volts": _rounded(answer.volts, 2)}

    def _latencies(self) -> dict[str, Any]:
        if time.monotonic() - self._summary_s > SUMMARY_S:
            self._summary_s = time.monotonic()
            laps_ms = list(self._live.laps_ms.items())
            self._summary = {
                "latency_ms": percentiles_ms(self._live.commands_ms[-LATELY:]),
                "stages_ms": {stage: percentiles_ms(laps[-LATELY:]) for stage, laps in laps_ms},
            }
        return self._summary


def _state(state: RobotState, now_s: float) -> dict[str, Any]:
    return {
        "wheels_mmps": [_rounded(state.left_wheel_mmps), _rounded(state.right_wheel_mmps)],
        "range_mm": _rounded(state.range_mm),
        "head_deg": _degrees(state.head_angle_rad),
        "heading_deg": _degrees(state.heading_rad),
        "state_age_ms": _rounded((now_s - state.received_s) * 1000),
        "flags": [flag for flag in FLAGS if getattr(state, flag)],
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "distance_mm": _rounded(target.distance_mm),
        "distance_sigma_mm": _rounded(target.distance_sigma_mm),
        "bearing_deg": _degrees(target.bearing_rad),
        "bearing_sigma_deg": _degrees(target.bearing_sigma_rad),
    }


def _boxes(boxes_xyxy: np.ndarray, scores: Iterable[float]) -> list[dict[str, Any]]:
    return [
        {"xyxy": [round(float(side), 1) for side in box], "score": round(float(score), 2)}
        for box, score in zip(boxes_xyxy, scores, strict=True)
    ]


def _degrees(angle_rad: float) -> float | None:
    return _rounded(math.degrees(angle_rad), 1)


def _rounded(value: float | None, digits: int = 0) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
