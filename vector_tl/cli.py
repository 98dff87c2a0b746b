"""The words a person types: `vector-tl COMMAND ...`.

Settings are dataclasses of the rooms; tyro makes options and help of them. With `--json` standard output holds JSON and nothing
else; progress and logs go to standard error. Exit code 0: done, 1: the work failed, 2: wrong usage.
"""

import contextlib
import dataclasses
import importlib
import inspect
import json
import logging
import math
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import vector_tl
from vector_tl.errors import UserError


@dataclass(frozen=True)
class Command:
    """Where a command's settings and work are, as `module:name`; imported only when it is called."""

    summary: str
    settings: str
    work: str
    prints_itself: bool = False  # its standard output is its own
    stopped: str = "stopped."  # what Ctrl-C says


GOES_ON = "stopped; the same command goes on."
COMMANDS = {
    "doctor": Command(
        "Check this machine and, if asked, a robot; say what to do",
        "vector_tl.doctor.checks:DoctorSettings",
        "vector_tl.doctor.checks:doctor",
    ),
    "sim": Command(
        "Run a simulated Vector for any SDK program",
        "vector_tl.sim.settings:SimSettings",
        "vector_tl.sim.server.server:run",
        prints_itself=True,
    ),
    "sim fault": Command(
        "Let something go wrong with a simulated Vector",
        "vector_tl.robot.fault:FaultSettings",
        "vector_tl.robot.fault:fault",
    ),
    "sim rpcs": Command(
        "Tell what the simulated Vector answers",
        "vector_tl.sim.gateway.unsupported:RpcSettings",
        "vector_tl.sim.gateway.unsupported:rpcs",
    ),
    "capture": Command(
        "Take images from a robot's camera",
        "vector_tl.capture.settings:CaptureSettings",
        "vector_tl.capture.run:capture",
    ),
    "label import": Command(
        "Take in images, videos and datasets",
        "vector_tl.labels.settings:ImportSettings",
        "vector_tl.labels.importing:import_data",
    ),
    "label export": Command(
        "Write YOLO, COCO or Pascal VOC",
        "vector_tl.labels.settings:ExportSettings",
        "vector_tl.labels.exporting:export_data",
    ),
    "label check": Command(
        "Look for what is wrong with a dataset",
        "vector_tl.labels.settings:CheckSettings",
        "vector_tl.labels.check:check",
    ),
    "label split": Command(
        "Divide sessions into train, val and test",
        "vector_tl.labels.settings:SplitSettings",
        "vector_tl.labels.splits:split",
    ),
    "label suggest": Command(
        "Suggest boxes, from a model or carried",
        "vector_tl.labels.review_settings:SuggestSettings",
        "vector_tl.labels.suggest:suggest",
    ),
    "label review": Command(
        "Accept and correct boxes on a page",
        "vector_tl.labels.review_settings:ReviewSettings",
        "vector_tl.labels.review_server:review",
    ),
    "train": Command(
        "Train a detector from COCO, from scratch, or from an own model",
        "vector_tl.train.settings:TrainSettings",
        "vector_tl.train.loop:train",
        stopped="stopped; the same command with --resume goes on.",
    ),
    "compare": Command(
        "Train from COCO and from scratch alike",
        "vector_tl.experiments.compare_settings:CompareSettings",
        "vector_tl.experiments.compare:compare",
        stopped=GOES_ON,
    ),
    "retrain": Command(
        "Go on with new captures, and compare",
        "vector_tl.experiments.retrain_settings:RetrainSettings",
        "vector_tl.experiments.retrain:retrain",
        stopped=GOES_ON,
    ),
    "evaluate": Command(
        "Measure a model on labelled images",
        "vector_tl.evaluate.settings:EvaluateSettings",
        "vector_tl.evaluate.evaluate:evaluate",
    ),
    "detect": Command(
        "Find Vectors in images, videos, recordings",
        "vector_tl.detect.settings:DetectSettings",
        "vector_tl.detect.run:detect",
    ),
    "find": Command(
        "Let a robot find another Vector and drive to it",
        "vector_tl.find.settings:FindSettings",
        "vector_tl.find.loop:find",
    ),
    "bench": Command(
        "Measure speed beside a baseline", "vector_tl.bench.run:BenchSettings", "vector_tl.bench.run:bench"
    ),
    "film": Command(
        "Film two models side by side on the same frames",
        "vector_tl.film.settings:FilmSettings",
        "vector_tl.film.film:film",
    ),
    "poll": Command(
        "Ask people which of two models they like better, blindly",
        "vector_tl.poll.settings:PollSettings",
        "vector_tl.poll.run:poll",
    ),
}


# Options that had another name before; the old one still works in this version, with a line of warning.
RENAMED_OPTIONS: dict[str, dict[str, str]] = {
    "capture": {"--pictures-per-session": "--images-per-session"},
    "train": {"--pictures": "--images"},
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(overview(), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"vector-tl {vector_tl.__version__}")
        return 0
    name = next((name for name in (" ".join(argv[:2]), argv[0]) if name in COMMANDS), None)
    if name is None:
        own = [name for name in COMMANDS if name.split()[0] == argv[0]]  # `label` is several commands
        if own and argv[1:2] in (["-h"], ["--help"]):
            print(overview(own))
            return 0
        print(
            f"vector-tl: there is no command {' '.join(argv[: 2 if own else 1])!r}; choose one of {', '.join(own or COMMANDS)}.",
            file=sys.stderr,
        )
        return 2
    command = COMMANDS[name]
    try:
        settings, as_json = parse(name, argv[len(name.split()) :])
    except BrokenPipeError:  # of the help's reader, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        return 1
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname).1s %(name)s: %(message)s"
    )
    logging.getLogger("vector_tl").setLevel(logging.INFO)
    for noisy in ("aiogrpc", "uvicorn", "libav"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    with contextlib.nullcontext(sys.stdout) if command.prints_itself else _quiet_stdout() as out:
        return _work(name, command, settings, as_json, out)


def parse(name: str, argv: list[str]) -> tuple[object, bool]:
    """The settings of a command and whether `--json` was given; tyro ends the program (2) on wrong usage, (0) on --help."""
    import tyro

    argv = _with_new_names(name, argv)
    kind = _import(COMMANDS[name].settings)
    json_flag = Annotated[
        bool, tyro.conf.arg(help="Print one JSON object on standard output and nothing else there.")
    ]
    asked = dataclasses.make_dataclass(
        kind.__name__, [("json", json_flag, False)], bases=(kind,), frozen=True, kw_only=True
    )
    given = tyro.cli(
        asked,
        args=argv,
        prog=f"vector-tl {name}",
        description=inspect.cleandoc(kind.__doc__),
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return kind(**{field.name: getattr(given, field.name) for field in dataclasses.fields(kind)}), given.json


def _with_new_names(name: str, argv: list[str]) -> list[str]:
    renamed, now = RENAMED_OPTIONS.get(name, {}), []
    for word in argv:
        option, equals, value = word.partition("=")
        if new := renamed.get(option):
            print(f"vector-tl {name}: {option} is called {new} now.", file=sys.stderr)
            word = new + equals + value
        now.append(word)
    return now


def overview(names: Iterable[str] = COMMANDS) -> str:
    """The text of `vector-tl --help`; of `vector-tl label --help` with the names of its commands."""
    lines = [
        vector_tl.__doc__.strip(),
        "",
        "usage: vector-tl COMMAND [OPTIONS]   (vector-tl COMMAND --help shows options and an example)",
        "",
    ]
    lines += [f"  {name:<14} {COMMANDS[name].summary}" for name in names]
    return "\n".join(
        [*lines, "", "example: vector-tl find --robot sim --model transfer --record runs/first.mcap"]
    )


def _work(name: str, command: Command, settings, as_json: bool, out) -> int:
    def fail(error: UserError | str, code: int) -> int:
        print(f"vector-tl {name}: {error}", file=sys.stderr)
        if as_json:
            _print_json(
                {**getattr(error, "result", {}), "error": str(error)}, out
            )  # what was reached before it failed, where there is any
        return code

    try:
        result = _import(command.work)(settings)
        if isinstance(result, Iterator):
            return _print_each(result, as_json, out)
        if result is not None:
            if as_json:
                _print_json(result, out)
            else:
                print(_readable(result), file=out, flush=True)
            if "error" in result:
                return 1
        return (
            1 if name == "doctor" and not all(c["ok"] or c.get("optional") for c in result["checks"]) else 0
        )
    except UserError as error:
        return fail(error, error.exit_code)
    except KeyboardInterrupt:
        return fail(command.stopped, 128 + signal.SIGINT)
    except SystemExit as ended:  # by a signal; see robot/signals.py
        return fail("ended.", ended.code if isinstance(ended.code, int) else 1)
    except BrokenPipeError:  # whoever read our output has seen enough
        return 1
    except ImportError as error:
        return fail(f"a package is missing or broken ({error}); run scripts/setup, then vector-tl doctor.", 1)
    except Exception as error:
        if os.environ.get("VECTOR_TL_DEBUG"):
            traceback.print_exc()
        return fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} (VECTOR_TL_DEBUG=1 shows where).",
            1,
        )


def _print_each(results: Iterator[dict], as_json: bool, out) -> int:
    code = 0
    for result in results:
        code = 1 if "error" in result else code
        if as_json:
            _print_json(result, out)
        elif "error" in result:
            print(f"{result['source']}: {result['error']}", file=sys.stderr)
        else:
            boxes = (
                ", ".join(f"{b['score']:.2f} at {[round(v) for v in b['xyxy']]}" for b in result["boxes"])
                or "no Vector"
            )
            print(f"{result['source']}#{result['frame']}: {boxes}", file=out, flush=True)
    return code


def _print_json(value: dict, out) -> None:
    print(json.dumps(_finite(value), allow_nan=False), file=out, flush=True)


def _finite(value):
    """The same with null for what is undefined, and plain Python numbers."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if dataclasses.is_dataclass(value):
        return _finite(dataclasses.asdict(value))
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "item"):
        return _finite(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def _readable(result: dict) -> str:
    if "checks" in result:
        from vector_tl.doctor.checks import readable

        return readable(result)
    if "recall_by_height_px" in result:
        from vector_tl.evaluate.evaluate import describe

        return describe(result)
    width = max(map(len, result), default=0)
    shown = {
        key: json.dumps(value) if isinstance(value, (dict, list)) else "-" if value is None else value
        for key, value in _finite(result).items()
    }
    return "\n".join(f"{key:<{width}}  {value}" for key, value in shown.items())


def _import(target: str):
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def _quiet_stdout():
    """A stream to the real standard output, while everything that libraries print there goes to standard error."""
    if sys.stdout:
        sys.stdout.flush()
    try:
        own = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # closed by whoever started us
        with open(os.devnull, "w") as nobody:
            yield nobody
        return
    out = os.fdopen(os.dup(own), "w", errors="backslashreplace")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield out
    finally:
        os.dup2(own, 1)
        os.close(own)
        with contextlib.suppress(BrokenPipeError):
            out.close()
