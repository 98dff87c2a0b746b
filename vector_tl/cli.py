"""The words a person types: `vector-tl COMMAND ...`.

Each package has dataclasses of settings; tyro makes options and help of them. With `--json` standard output
holds JSON and nothing else; progress and logs go to standard error. Exit code 0: done, 1: the work failed,
2: wrong usage, 128 + n: ended by signal n.
"""

import contextlib
import copy
import dataclasses
import importlib
import inspect
import io
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import vector_tl
from vector_tl.errors import UserError, missing_package
from vector_tl.files import finite
from vector_tl.next_steps.first import closest, comes_first
from vector_tl.plain import CLEAR_LINE, one_line, plain_values, printable, rewrites_lines
from vector_tl.progress import track

if TYPE_CHECKING:
    from vector_tl.next_steps.forms import Ending


@dataclass(frozen=True)
class Command:
    """Where a command's settings and work are, as `module:name` in vector_tl; imported only when called."""

    summary: str
    settings: str
    work: str
    describe: str = ""  # what makes text for a person of its result; key and value in lines when empty
    prints_itself: bool = False  # its standard output is its own
    stopped: str = "stopped."  # what Ctrl-C says


CONTINUES = "stopped; the same command continues."
COMMANDS = {
    "demo": Command(
        "Let a Vector find another one, and film what two models saw",
        "demo.settings:DemoSettings",
        "demo.run:demo",
        describe="demo.run:describe",
        stopped="stopped; the same command continues after the last step that was finished.",
    ),
    "doctor": Command(
        "Check this machine and, if asked, a robot; say what to do",
        "doctor.checks:DoctorSettings",
        "doctor.checks:doctor",
        describe="doctor.checks:readable",
    ),
    "sim": Command(
        "Run a simulated Vector for any SDK program",
        "sim.settings:SimSettings",
        "sim.server.server:run",
        prints_itself=True,
    ),
    "sim fault": Command(
        "Make something go wrong with a simulated Vector", "robot.fault:FaultSettings", "robot.fault:fault"
    ),
    "sim rpcs": Command(
        "List the calls that the simulated Vector answers",
        "sim.gateway.calls:RpcSettings",
        "sim.gateway.calls:rpcs",
    ),
    "capture": Command(
        "Take images with a robot's camera",
        "capture.settings:CaptureSettings",
        "capture.run:capture",
        describe="capture.run:describe",
    ),
    "label import": Command(
        "Import images, videos and datasets",
        "labels.settings:ImportSettings",
        "labels.importing:import_data",
        describe="labels.importing:describe",
    ),
    "label export": Command(
        "Write YOLO, COCO, Pascal VOC, Hugging Face or Label Studio",
        "labels.settings:ExportSettings",
        "labels.exporting:export_data",
        describe="labels.exporting:describe",
    ),
    "label check": Command(
        "Look for mistakes in a dataset",
        "labels.settings:CheckSettings",
        "labels.check:check",
        describe="labels.check:describe",
    ),
    "label split": Command(
        "Divide sessions into train, val and test",
        "labels.settings:SplitSettings",
        "labels.splits:split",
        describe="labels.splits:describe",
    ),
    "label suggest": Command(
        "Suggest boxes, by a model or from labelled images nearby",
        "labels.review_settings:SuggestSettings",
        "labels.suggest:suggest",
        describe="labels.suggest:describe",
    ),
    "label review": Command(
        "Accept and correct boxes on a page",
        "labels.review_settings:ReviewSettings",
        "labels.review_server:review",
    ),
    "label mine": Command(
        "Add what a model wrongly sees in your rooms as images without a Vector",
        "labels.mine_settings:MineSettings",
        "labels.mine:mine",
        describe="labels.mine:describe",
    ),
    "train": Command(
        "Train a detector from COCO, from scratch or from your own model",
        "train.settings:TrainSettings",
        "train.loop:train",
        describe="train.loop:describe",
        stopped="stopped; the same command with --resume continues.",
    ),
    "compare": Command(
        "Train from COCO and from scratch alike, and compare",
        "experiments.compare_settings:CompareSettings",
        "experiments.compare:compare",
        describe="experiments.words:describe",
        stopped=CONTINUES,
    ),
    "retrain": Command(
        "Fine-tune a model with new captures, and compare",
        "experiments.retrain_settings:RetrainSettings",
        "experiments.retrain:retrain",
        describe="experiments.words:describe",
        stopped=CONTINUES,
    ),
    "lesson": Command(
        "Make a page that teaches transfer learning, with sliders and a quiz",
        "experiments.lesson.settings:LessonSettings",
        "experiments.lesson.lesson:lesson",
    ),
    "evaluate": Command(
        "Measure a model on labelled images",
        "evaluate.settings:EvaluateSettings",
        "evaluate.evaluate:evaluate",
        describe="evaluate.evaluate:describe",
    ),
    "detect": Command(
        "Find Vectors in images, videos, recordings", "detect.settings:DetectSettings", "detect.run:detect"
    ),
    "watch": Command(
        "Watch two models live on a webcam, a video, the screen or a robot",
        "watch.settings:WatchSettings",
        "watch.run:watch",
        describe="watch.run:describe",
    ),
    "find": Command(
        "Let a robot find another Vector and drive to it",
        "find.settings:FindSettings",
        "find.loop:find",
        describe="find.progress:describe",
    ),
    "stop": Command(
        "Stop a robot now, whoever drives it", "robot.stop_settings:StopSettings", "robot.stop:stop"
    ),
    "clean": Command(
        "Say what lies in runs/ and caches, and remove what you name",
        "clean.settings:CleanSettings",
        "clean.clean:clean",
        describe="clean.clean:describe",
    ),
    "completion": Command(
        "Let your shell complete commands and options with Tab",
        "completion:CompletionSettings",
        "completion:completion",
        prints_itself=True,
    ),
    "bench": Command("Measure speed beside a baseline", "bench.settings:BenchSettings", "bench.run:bench"),
    "film": Command(
        "Film two models side by side on the same frames",
        "film.settings:FilmSettings",
        "film.film:film",
        describe="film.figures:describe",
    ),
    "export": Command(
        "Write a model for other programs: ONNX, OpenVINO, TFLite",
        "export.settings:ExportSettings",
        "export.run:export",
        describe="export.run:describe",
    ),
    "poll": Command(
        "Let people vote, blindly, which of two models is better",
        "poll.settings:PollSettings",
        "poll.run:poll",
        describe="poll.count_words:describe",
    ),
}


# Options that had another name before; the old one still works in this version, with a line of warning.
RENAMED_OPTIONS: dict[str, dict[str, str]] = {
    "compare": {"--seen": "--images-seen", "--most-seen": "--max-images-seen"},
    "capture": {"--pictures-per-session": "--images-per-session"},  # old name
    "train": {"--pictures": "--images"},  # old name
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    if not argv or argv[0] in ("-h", "--help"):
        print(overview(), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"vector-tl {vector_tl.__version__}")
        return 0
    name = next((name for name in (" ".join(argv[:2]), argv[0]) if name in COMMANDS), None)
    if name is None:
        return _no_command(argv)
    command = COMMANDS[name]
    try:
        settings, as_json = parse(name, argv[len(name.split()) :])
    except BrokenPipeError:  # of the help's reader, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        return 1
    except KeyboardInterrupt:
        print(f"vector-tl {name}: stopped before it began.", file=sys.stderr)
        return 128 + signal.SIGINT
    _set_up_logging()
    with contextlib.nullcontext(sys.stdout) if command.prints_itself else _quiet_stdout() as out:
        return _work(name, command, settings, as_json, out)


def _no_command(argv: list[str]) -> int:
    """Help for `label --help`; else say which commands there are."""
    own = [name for name in COMMANDS if name.split()[0] == argv[0]]  # `label` is several commands
    if own and argv[1:2] in (["-h"], ["--help"]):
        print(overview(own))
        return 0
    asked = " ".join(argv[: 2 if own else 1])
    meant = closest(asked, own or COMMANDS)
    answer = f"did you mean: vector-tl {meant}" if meant else f"choose one of {', '.join(own or COMMANDS)}."
    print(f"vector-tl: there is no command {asked!r}; {answer}", file=sys.stderr)
    if meant:
        print("vector-tl help lists all commands.", file=sys.stderr)
    return 2


class _PlainFormatter(logging.Formatter):
    """Log lines in which names of files and robots steer no terminal and begin no line of their own.

    A person reads them: only what is more than information is called so, and the module that says it is named
    only with VECTOR_TL_DEBUG. In a terminal they begin where a line of progress stands, and take its place.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        who = f"{record.name}: " * bool(os.environ.get("VECTOR_TL_DEBUG"))
        level = f"{record.levelname.lower()}: " * (record.levelno > logging.INFO)
        return one_line(f"{who}{level}{record.message}")

    def format(self, record: logging.LogRecord) -> str:
        return CLEAR_LINE * rewrites_lines() + printable(super().format(record))  # a traceback in its lines


def _set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("vector_tl").setLevel(logging.INFO)
    for noisy in ("aiogrpc", "uvicorn", "libav"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


def parse(name: str, argv: list[str]) -> tuple[Any, bool]:
    """The settings of a command, and whether `--json` was given.

    tyro ends the program on wrong usage (2) and on --help (0).
    """
    import tyro  # here: --version and the overview come sooner without

    from vector_tl.option_types import option_types  # brings tyro

    kind = _import(COMMANDS[name].settings)
    json_flag = Annotated[
        bool,
        tyro.conf.arg(
            help="Print one JSON object on standard output and nothing else there.", help_behavior_hint=""
        ),
    ]
    own = inspect.get_annotations(
        kind
    )  # what it has of another class, such as `TrainingOptions`, comes after
    ordered = sorted(dataclasses.fields(kind), key=lambda field: field.name not in own)
    options = [(field.name, _with_help(kind, field.name), copy.copy(field)) for field in ordered]
    asked = dataclasses.make_dataclass(kind.__name__, [*options, ("json", json_flag, False)], frozen=True)
    as_typed = all(printable(word) == word for word in argv)
    with contextlib.nullcontext() if as_typed else _plain_errors(), _says_what_comes_first(name, argv):
        given: Any = tyro.cli(
            asked,
            args=_with_new_names(name, argv),
            prog=f"vector-tl {name}",
            description=inspect.cleandoc(kind.__doc__),
            config=(tyro.conf.FlagCreatePairsOff,),
            registry=option_types(),
        )
    return kind(**{field.name: getattr(given, field.name) for field in dataclasses.fields(kind)}), given.json


@contextlib.contextmanager
def _says_what_comes_first(name: str, argv: list[str]) -> Iterator[None]:
    """Where a command was typed alone and cannot work so, say what it needs."""
    try:
        yield
    except SystemExit as ended:
        if ended.code == 2 and not argv and (first := comes_first(name)):
            print(first, file=sys.stderr)
        raise


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Print what goes to standard error meanwhile without codes for the terminal.

    It loses its colours, so this is for words that hold such codes: names of files by a pattern such as `*`.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    finally:
        sys.stderr.write(printable(said.getvalue()))


def _with_help(kind: type, name: str) -> Any:
    """The type of a setting, with its docstring as help; tyro alone keeps its line breaks."""
    import docstring_parser  # here: --version and the overview come sooner without
    import tyro

    docs = {
        doc.arg_name: doc.description or ""
        for part in reversed(kind.__mro__)
        if dataclasses.is_dataclass(part)
        for doc in docstring_parser.parse_from_object(part).params
    }
    help_text = " ".join(docs.get(name, "").split()) or None
    (default,) = (field.default for field in dataclasses.fields(kind) if field.name == name)
    says_nothing = isinstance(default, bool) or default in (None, "", (), dataclasses.MISSING)
    about = tyro.conf.arg(help=help_text, help_behavior_hint="" if says_nothing else None)
    return Annotated[get_type_hints(kind, include_extras=True)[name], about]


def _with_new_names(name: str, argv: list[str]) -> list[str]:
    """The same words with the new names of options; a line of warning for each old one."""
    renamed, now = RENAMED_OPTIONS.get(name, {}), []
    for word in argv:
        option, equals, value = word.partition("=")
        if new := renamed.get(option):
            print(f"vector-tl {name}: {option} is now called {new}; use that name.", file=sys.stderr)
            word = new + equals + value
        now.append(word)
    return now


def overview(names: Iterable[str] = COMMANDS) -> str:
    """The text of `vector-tl --help`; of `vector-tl label --help` with the names of its commands."""
    lines = [
        inspect.cleandoc(vector_tl.__doc__ or ""),
        "",
        "usage: vector-tl COMMAND [OPTIONS]   (vector-tl COMMAND --help shows options and an example)",
        "",
    ]
    lines += [f"  {name:<14} {COMMANDS[name].summary}" for name in names]
    return "\n".join(
        [
            *lines,
            "",
            "example: vector-tl find --robot sim --model transfer --record runs/first.mcap",
            "",
            "Words such as epoch, seed, split and AP50 are explained in docs/models.md.",
        ]
    )


def _work(name: str, command: Command, settings: Any, as_json: bool, out: TextIO) -> int:
    """Do a command's work and print its result; the exit code."""

    def fail(error: UserError | str, code: int) -> int:
        print(f"{CLEAR_LINE * rewrites_lines()}vector-tl {name}: {one_line(str(error))}", file=sys.stderr)
        if as_json:  # with what was reached before it failed, where there is any
            _print_json({**getattr(error, "result", {}), "error": str(error)}, out)
        return code

    try:
        return _print_result(name, command, settings, _import(command.work)(settings), as_json, out)
    except UserError as error:
        return fail(error, error.exit_code)
    except KeyboardInterrupt:
        return fail(command.stopped, 128 + signal.SIGINT)
    except SystemExit as ended:  # by a signal; see robot/signals.py
        return fail("ended by a signal.", ended.code if isinstance(ended.code, int) else 1)
    except BrokenPipeError:  # whoever read our output has seen enough
        return 1
    except ImportError as error:
        return fail(missing_package(error), 1)
    except Exception as error:
        if os.environ.get("VECTOR_TL_DEBUG"):
            print(printable(traceback.format_exc()), file=sys.stderr)
        words = " ".join(str(error).split())[:300]
        return fail(
            f"unexpected {type(error).__name__}: {words} (VECTOR_TL_DEBUG=1 shows where it happened).",
            1,
        )


def _print_result(
    name: str,
    command: Command,
    settings: Any,
    result: dict | Iterator[dict] | None,
    as_json: bool,
    out: TextIO,
) -> int:
    """Print what a command's work gave, and what goes on from there; the exit code."""
    if isinstance(result, Iterator):
        return _print_each(name, settings, result, as_json, out)
    if result is None:
        return 0
    end = _ending(name, settings, result)
    if as_json:
        _print_json(result | ({"next": end.commands} if end.steps else {}), out)
    else:
        describe = _import(command.describe) if command.describe else _lines
        print(describe(plain_values(result)), file=out)
        print(printable(end.text()), end="\n" * bool(end.text()), file=out, flush=True)
    failed = any(not check["ok"] and not check["optional"] for check in result.get("checks", ()))
    return 1 if failed or "error" in result else 0


def _ending(name: str, settings: Any, result: dict) -> "Ending":
    from vector_tl.next_steps.endings import ending  # here: the overview and --help come sooner without

    return ending(name, settings, result)


def _print_each(name: str, settings: Any, results: Iterator[dict], as_json: bool, out: TextIO) -> int:
    """Print the results of `detect`, each as soon as it is there; the exit code.

    What goes on from there is on standard error, so that the results can be counted.
    """
    from vector_tl.data.images import is_image_file  # here: `detect` has it, others do without

    code, images, found = 0, 0, 0
    seen = out.isatty() and not as_json  # the results themselves show how far it is
    for result in results if seen else track(results, name):
        code = 1 if "error" in result else code
        images, found = images + ("boxes" in result), found + bool(result.get("boxes"))
        if as_json:
            _print_json(result, out)
        elif "error" in result:
            print(one_line(result["error"]), file=sys.stderr)  # a sentence that names the file
        else:
            boxes = [f"{box['score']:.2f} at {[round(v) for v in box['xyxy']]}" for box in result["boxes"]]
            words = ", ".join(boxes) or "no Vector"
            frame = "" if is_image_file(Path(result["source"])) else f"#{result['frame']}"
            print(one_line(f"{result['source']}{frame}: {words}"), file=out, flush=True)
    if images and not as_json:
        end = _ending(name, settings, {"images": images, "found": found})
        print(printable(end.text()), file=sys.stderr, flush=True)
    return code


def _print_json(value: dict, out: TextIO) -> None:
    print(json.dumps(finite(value), allow_nan=False), file=out, flush=True)


def _lines(result: dict) -> str:
    """Key and value of a result, in lines."""
    width = max(map(len, result), default=0)
    shown = {key: _paragraph(value).split("\n") for key, value in finite(result).items()}
    return "\n".join(
        f"{'' if number else key:<{width}}  {line}"
        for key, lines in shown.items()
        for number, line in enumerate(lines)
    )


def _paragraph(value: Any) -> str:
    """A value of a result in words: a line for each row of a table, one line for all else."""
    if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
        return "\n".join(f"{key}: {_line(part)}" for key, part in value.items())
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return "\n".join(map(_line, value))
    return _line(value)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(part)}" for key, part in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_line, value)) or "-"
    return "-" if value is None else one_line(str(value))


def _import(target: str) -> Any:
    module, name = target.split(":")
    return getattr(importlib.import_module(f"vector_tl.{module}"), name)


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[TextIO]:
    """The real standard output, while all that libraries print there goes to standard error."""
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
