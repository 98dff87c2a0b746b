"""The doctor's page: one file that loads nothing and can be sent in."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import vector_tl
from vector_tl.doctor.check import Check
from vector_tl.doctor.private import make_private, short_serial
from vector_tl.web import pages
from vector_tl.web.report import Illustration, finish_plot, new_plot, plotted

if TYPE_CHECKING:
    from vector_tl.doctor.wheels.rig import Episode

MIN_STATES = 5  # a drive with fewer shows nothing
BEFORE_S, AFTER_S = 0.3, 1.3  # what a plot shows around what was done
WHEELS = {"up": "wheels off the ground", "table": "on a table", None: "wheels not turned"}


def write_report(
    path: Path,
    robot: str | None,
    wheels: str | None,
    checks: Sequence[Check],
    wheel_checks: Sequence[Check],
    episodes: "Sequence[Episode]",
    home: Path,
) -> None:
    """Write the page.

    Args:
        path: of the page.
        robot: its serial, or sim; None when only the computer was checked.
        wheels: up or table; None when they were not to be turned.
        checks: those of the computer and of the connection.
        wheel_checks: those that turned the wheels.
        episodes: the drives, each with its states.
        home: the folder with `.anki_vector`; what is known of robots there is hidden or shortened.

    Raises:
        UserError: the file cannot be written.
    """
    private = make_private(home)
    simulated = robot == "sim" or (home / "truth.json").is_file()
    shown = "" if robot is None else "a simulated robot" if simulated else short_serial(robot)
    all_checks = [*checks, *wheel_checks]
    failed = sum(not check.ok and not check.optional for check in all_checks)

    def rows(some: Sequence[Check]) -> list[dict[str, str]]:
        return [
            {
                "mark": "works" if check.ok else "optional" if check.optional else "fails",
                "name": private(check.name),
                "detail": private(check.detail),
                "remedy": private(check.remedy) if check.remedy and not check.ok else "",
            }
            for check in some
        ]

    pages.write_page(
        path,
        "doctor/templates/doctor.html",
        title=f"vector-tl doctor: {'robot ' * (not simulated)}{shown}" if shown else "vector-tl doctor",
        about={
            "Written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "vector-tl": vector_tl.__version__,
            "Computer": f"{platform.system()} {platform.release()}, {platform.machine()}, Python "
            f"{platform.python_version()}",
            "Robot": f"{shown}, {WHEELS[wheels]}" if shown else "none asked for",
        },
        failed=failed,
        count=len(all_checks),
        simulated=simulated,
        wheels=wheels,
        checks=rows(checks),
        wheel_checks=rows(wheel_checks),
        plots=[_plot(episode) for episode in episodes if len(episode.states) >= MIN_STATES],
    )


@plotted
def _plot(episode: "Episode") -> Illustration:
    """The wheels' speeds in one drive, with what happened when."""
    figure, axes = new_plot(6, 3)
    times_s = [state.received_s - episode.begun_s for state in episode.states]
    for name, color, speeds in (
        ("left", "#0b5cad", [state.left_wheel_mmps for state in episode.states]),
        ("right", "#b35900", [state.right_wheel_mmps for state in episode.states]),
    ):
        axes.plot(times_s, speeds, marker=".", markersize=4, linewidth=1, color=color, label=name)
    for number, (t_s, text) in enumerate(episode.marks):
        axes.axvline(t_s - episode.begun_s, color="#5a6270", linewidth=0.8, linestyle="--")
        at = (t_s - episode.begun_s, 1.02 + 0.09 * (number % 2))  # neighbours would overlap
        axes.annotate(text, at, xycoords=("data", "axes fraction"), fontsize=8)
    if episode.marks:
        first_s, last_s = (at_s - episode.begun_s for at_s, _ in (episode.marks[0], episode.marks[-1]))
        axes.set_xlim(max(0.0, first_s - BEFORE_S), min(times_s[-1], last_s + AFTER_S))
    axes.set_xlabel("seconds")
    axes.set_ylabel("wheels, mm/s")
    return finish_plot(figure, episode.title)
