"""The kinds of faults of `fault_trials.py`: what happens, how long, and what counts as a stop."""

import signal
from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["link", "app", "body", "another client", "robot's own behaviour"]
Judge = Literal["stand", "ours", "shout"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: as in the table.
        group: whose fault it is.
        how: `sim` (a fault of the simulator), `app` (an order to the app), `signal` (to the app), `terminal`
            (the app's terminal closes), `watchdog` (its watchdog is killed), `client` (another program on
            the robot) or `proxy` (the network between them).
        what: the simulator's fault, the order, the signal's name, what the other client or the network does.
        numbers: of a fault of the simulator.
        lasts_ms: how long; 0 for a fault that is over at once.
        judged: `stand`: the wheels stand for good until the fault is over (at least once where it is over at
            once); `ours`: the app sends no speeds any more, since somebody else may drive; `shout`: nothing
            can reach the robot, so the app must say aloud that it may be driving.
        survives: whether the app goes on searching afterwards.
        out_of_reach_ms: for how long no command can reach the robot (in the world's time, which stands still
            for most of the time for which the robot is frozen), or another client lets it drive on; the time
            to the stop begins afterwards.
        connects_anew: whether no connection is left over which a stop could go.
    """

    name: str
    group: Group
    how: str
    what: str
    lasts_ms: float = 0.0
    judged: Judge = "stand"
    survives: bool = True
    numbers: tuple[tuple[str, Any], ...] = ()
    out_of_reach_ms: float = 0.0
    connects_anew: bool = False


def _signal(name: str, number: signal.Signals, lasts_ms: float = 0.0, survives: bool = False) -> Fault:
    return Fault(name, "app", "signal", number.name, lasts_ms, survives=survives)


LINK = (
    Fault("no frames", "link", "sim", "camera_stall", 1000),
    Fault("the same frame again and again", "link", "sim", "camera_repeat", 1000),
    Fault("frames of noise", "link", "sim", "camera_corrupt", 1000),
    Fault("frames 2.5 s late", "link", "sim", "camera_latency", 3500, numbers=(("latency_ms", 2500),)),
    Fault("no states", "link", "sim", "event_stall", 900),
    Fault("states 1 s late", "link", "sim", "event_latency", 2500, numbers=(("latency_ms", 1000),)),
    Fault("no answers", "link", "sim", "rpc_stall", 800, out_of_reach_ms=800),
    Fault("no answers and no states", "link", "sim", "rpc_stall+event_stall", 1500, out_of_reach_ms=1500),
    Fault(
        "calls 0.4 s late",
        "link",
        "sim",
        "rpc_latency",
        1500,
        numbers=(("latency_ms", 400),),
        out_of_reach_ms=400,
    ),
    Fault("camera stream breaks off", "link", "sim", "abort_camera"),
    Fault("event stream breaks off", "link", "sim", "abort_events"),
    Fault("control stream breaks off", "link", "sim", "abort_control"),
    Fault("all streams break off", "link", "sim", "abort_streams"),
    Fault(
        "robot's server restarts",
        "link",
        "sim",
        "restart",
        600,
        numbers=(("ms", 600),),
        out_of_reach_ms=600,
        connects_anew=True,
    ),
    Fault("network silent for 2 s", "link", "proxy", "stall", 2000, out_of_reach_ms=2000),
    Fault("network silent for good", "link", "proxy", "stall", 20000, "shout", survives=False),
    Fault(
        "connection cut, none for 2 s",
        "link",
        "proxy",
        "cut",
        2000,
        out_of_reach_ms=2000,
        connects_anew=True,
    ),
    Fault("connection cut once", "link", "proxy", "cut", 0, connects_anew=True),
)
APP = (
    Fault("detector takes 1.5 s", "app", "app", "sleep 1.5", 1500),
    Fault("native code holds the interpreter for 3 s", "app", "app", "hold 3", 3000),
    Fault("detector never returns", "app", "app", "hang", 4000, survives=False),
    Fault("detector raises", "app", "app", "raise", survives=False),
    _signal("Ctrl-C", signal.SIGINT),
    _signal("SIGTERM", signal.SIGTERM),
    _signal("Ctrl-\\", signal.SIGQUIT),
    _signal("SIGHUP", signal.SIGHUP),
    Fault("terminal closed", "app", "terminal", "close", survives=False),
    _signal("Ctrl-Z for 1.5 s", signal.SIGTSTP, 1500, survives=True),
    _signal("frozen for 1.5 s (SIGSTOP)", signal.SIGSTOP, 1500, survives=True),
    _signal("frozen for good (SIGSTOP)", signal.SIGSTOP, 4000),
    _signal("killed", signal.SIGKILL),
    _signal("crashed (SIGSEGV)", signal.SIGSEGV),
    Fault("watchdog killed", "app", "watchdog", "kill", survives=False),
)
BODY = (
    Fault("picked up", "body", "sim", "picked_up", 1000),
    Fault("turned by hand", "body", "sim", "turned_by_hand", 1000, "ours"),
    Fault("on its side", "body", "sim", "on_side", 1000),
    Fault("falls", "body", "sim", "falling", 800),
    Fault("an edge", "body", "sim", "cliff", 800, "ours"),
    Fault("put onto its charger", "body", "sim", "on_charger", 1000, "ours"),
    Fault("runs against something", "body", "sim", "bumped", 1000, "ours"),
    # The robot then drives home by itself, so that its first stand counts.
    Fault("battery low", "body", "sim", "low_battery", numbers=(("ms", 1500),), survives=False),
)
CLIENT = (
    Fault("had control for 1.5 s, ends", "another client", "client", "take", 1500, out_of_reach_ms=1500),
    Fault("had it at OVERRIDE, ends", "another client", "client", "override", 1500, out_of_reach_ms=1500),
    Fault("takes control and gives it back", "another client", "client", "release"),
    Fault("takes control and its program ends", "another client", "client", "vanish"),
    Fault(
        "takes control and drives for 3 s", "another client", "client", "drive", 3000, "ours", survives=False
    ),
    Fault(
        "drives without control of its own",
        "another client",
        "client",
        "intrude",
        3000,
        "ours",
        survives=False,
    ),
    Fault("ends the camera feed", "another client", "client", "camera"),
)
ROBOT = (
    Fault("own behaviour takes control", "robot's own behaviour", "sim", "control_lost", 1000),
    Fault("wake word", "robot's own behaviour", "sim", "wake_word", 1000),
    Fault(
        "frozen for 0.7 s",
        "robot's own behaviour",
        "sim",
        "freeze",
        700,
        numbers=(("ms", 700),),
        out_of_reach_ms=250,
    ),
    Fault(
        "frozen for 2.5 s",
        "robot's own behaviour",
        "sim",
        "freeze",
        2500,
        numbers=(("ms", 2500),),
        out_of_reach_ms=250,
    ),
    Fault("switches itself off", "robot's own behaviour", "sim", "battery_off", 3000, survives=False),
)
FAULTS = {fault.name: fault for fault in (*LINK, *APP, *BODY, *CLIENT, *ROBOT)}
