"""After commands that make or change a dataset."""

from pathlib import Path
from typing import Any

from vector_tl.files import free_name
from vector_tl.next_steps.forms import Ending, Step, typed
from vector_tl.next_steps.there import has_labels, has_splits, has_suggestions
from vector_tl.plain import counted

Result = dict[str, Any]
MODEL = Path("models/mine.safetensors")
LABEL_PROBLEMS = {"broken label", "tiny box", "double box", "same image, other label"}


def after_capture(settings: Any, result: Result) -> Ending:
    """Simulated images are labelled; a robot's are not, but for those without a Vector."""
    data, made = settings.data, {"images": settings.data / "images"}
    if settings.remake:
        return Ending("The images of data/labels are there again.", (train_step(data),), made)
    if settings.robot == "sim" and settings.target is None:
        return Ending(
            f"{counted(result['kept'], 'simulated image')} with exact boxes, divided into train, val and "
            "test.",
            (train_step(data), _check(data)),
            made,
        )
    if settings.negatives:
        words = ("capture", "--robot", "sim", "--backgrounds", data / "images", "--count", 600)
        return Ending(
            f"{counted(result['kept'], 'image')} of your rooms, each labelled as one without a Vector.",
            (
                Step(typed(*words, "--data", "data"), "Let the simulator put Vectors before them"),
                Step(typed("label", "split", "--data", data), "Divide them into train, val and test"),
            ),
            made,
        )
    return Ending(
        f"{counted(result['kept'], 'image')} that nobody has labelled yet.",
        (_suggest(data), _review(data)),
        made,
    )


def after_import(settings: Any, result: Result) -> Ending:
    """What came in is to be labelled, divided, checked."""
    data = settings.data
    if "undone" in result:
        return Ending("The dataset is as it was before that import.", (_check(data),))
    if result["dry_run"]:
        words = ["label", "import", settings.source, "--data", data]
        words += ["--session", settings.session] if settings.session else []
        words += ["--classes", *settings.classes] if settings.classes else []
        words += ["--images-only"] if settings.images_only else []
        return Ending("", (Step(typed(*words), "Import it like this"),))
    undo = Step(typed("label", "import", "--undo", "--data", data), "Take it out again")
    if result["unlabelled"]:
        means = (
            f"Not labelled, so without effect: {result['unlabelled']} of "
            f"{counted(result['images'], 'image')}."
        )
        return Ending(means, (_review(data), undo), {"dataset": data})
    step = train_step(data) if has_splits(data) else split_step(data)
    return Ending("All images that came in are labelled.", (step, undo), {"dataset": data})


def after_export(settings: Any, result: Result) -> Ending:
    """Other tools read it, and so does `label import`."""
    left_out = (
        f"; {result['unlabelled']} that nobody has labelled are not in it" if result["unlabelled"] else ""
    )
    again = typed("label", "import", settings.out, "--data", free_name(Path("runs/data")), "--dry-run")
    return Ending(
        f"{counted(result['images'], 'labelled image')} for tools that read {settings.format}{left_out}.",
        (Step(again, "See what an import would read in it"),),
        {"export": settings.out},
    )


def after_check(settings: Any, result: Result) -> Ending:
    """A dataset without problems can be trained on; others are mended first, by what is wrong with them."""
    page = {"page": Path(result["report"])} if result["report"] else {}
    if kinds := {problem["kind"] for problem in result.get("problems", ())}:
        return Ending("", _mend(settings, kinds), page)
    if not result["boxes"]:
        means = "No problems, but no label says where a Vector is, and without one nothing can be learned."
        return Ending(means, (_review(settings.data),), page)
    if not has_splits(settings.data):
        means = "No problems; its sessions need their splits before anything can be trained."
        return Ending(means, (split_step(settings.data),), page)
    means = "Nothing in this dataset stands in the way of a training."
    return Ending(means, (train_step(settings.data),), page)


def _mend(settings: Any, kinds: set[str]) -> tuple[Step, ...]:
    """Two commands that help against what is wrong, the nearest first."""
    data, steps = settings.data, []
    if kinds & {"label without image", "simulated session without images"}:
        steps.append(Step(typed("capture", "--remake", "--data", data), "Make simulated images again"))
    if "session without split" in kinds:
        steps.append(split_step(data))
    if kinds & LABEL_PROBLEMS:
        steps.append(
            Step(typed("label", "review", "--data", data), "Correct labels on a page in your browser")
        )
    if not settings.report:
        words = ("label", "check", "--data", data, "--report", free_name(Path("runs/check.html")))
        steps.append(Step(typed(*words), "See all problems on a page"))
    else:
        steps.append(Step(typed("label", "check", "--data", data), "Check again, once they are mended"))
    return tuple(steps[:2])


def after_split(settings: Any, result: Result) -> Ending:
    """Each split has its work."""
    data, by_image = settings.data, ""
    if settings.by == "image":
        by_image = " Its images are of one place, so figures on test are kinder than in another room."
    means = f"A training learns from train, chooses its model by val, and is measured on test.{by_image}"
    steps: tuple[Step, ...] = (train_step(data), _check(data))
    if not has_labels(data):
        means += " None of its images is labelled yet, and those that are not count for nothing."
        steps = (_review(data),) if has_suggestions(data) else (_suggest(data), _review(data))
    return Ending(means, steps, {"splits": data / "splits.json"})


def after_suggest(settings: Any, result: Result) -> Ending:
    """Suggestions wait for a person."""
    boxes = counted(result["boxes"], "suggested box", "suggested boxes")
    means = f"{boxes}: no label until a person has accepted it."
    if not result["boxes"]:
        means = "Nothing was seen in these images; whether a Vector is there is for a person to say."
    return Ending(means, (_review(settings.data),))


def after_review(settings: Any, _result: Result) -> Ending:
    """What was decided is saved; then it is divided or trained on."""
    data = settings.data
    step = train_step(data) if has_splits(data) else split_step(data)
    return Ending("Every decision is saved as a label.", (step, _check(data)), {"labels": data / "labels"})


def after_mine(settings: Any, result: Result) -> Ending:
    """False alarms are to be trained on."""
    if not result["kept"]:
        live = Step(typed("watch", 0, "--right", settings.model), "Show it more of your rooms, by a webcam")
        return Ending("The model saw nothing new in these rooms: there is nothing to learn from.", (live,))
    out = free_name(Path("runs/retrain"))
    words = ("retrain", settings.model, "--data", settings.data, "--out", out)
    return Ending(
        f"{counted(result['kept'], 'image')} on which the model was wrong, now labelled as without a Vector.",
        (Step(typed(*words), "Train the model further with them"),),
        {"images": settings.data / "images"},
    )


def train_step(data: Path) -> Step:
    """A training from COCO, into a file that is not there yet."""
    return Step(
        typed("train", "--data", data, "--init", "coco", "--out", free_name(MODEL)), "Train a model with it"
    )


def split_step(data: Path) -> Step:
    """The split that fits: by image where there are too few sessions."""
    folders = [path for path in (data / "images").glob("*") if path.is_dir()]
    by_image = ("--by", "image") if len(folders) < 3 else ()
    return Step(typed("label", "split", "--data", data, *by_image), "Divide it into train, val and test")


def _check(data: Path) -> Step:
    return Step(typed("label", "check", "--data", data), "See what is in it, and what is wrong with it")


def _review(data: Path) -> Step:
    return Step(typed("label", "review", "--data", data), "Label them on a page in your browser")


def _suggest(data: Path) -> Step:
    return Step(
        typed("label", "suggest", "--data", data, "--model", "transfer"),
        "Let a model suggest boxes, so that most need one key",
    )
