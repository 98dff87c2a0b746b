"""After commands that train, measure or show models."""

from pathlib import Path
from typing import Any

from vector_tl.files import free_name
from vector_tl.next_steps.forms import Ending, Step, typed
from vector_tl.plain import counted

Result = dict[str, Any]
MORE_OF_A_FILM = (("page", "report"), ("poster", "poster"))
SHORT_IMAGES_SEEN = 2000  # 20 epochs of the standard dataset are 9,460


def after_train(settings: Any, result: Result) -> Ending:
    """The model can be measured, and can drive a simulated robot. A short training is called so."""
    model, seen = result["model"], result["images_seen"]
    means = (
        f"The model has seen {counted(seen, 'image')}; ap50 and ap50_95 are on the val "
        "sessions, 1 is perfect."
    )
    if seen < SHORT_IMAGES_SEEN:
        means = (
            f"This was a short training: the model has seen {counted(seen, 'image')}, where a "
            "usual one (--epochs 20) sees about 10,000. Expect few boxes, and poor ones."
        )
    recording = free_name(Path("runs") / f"{Path(model).stem}.mcap")
    return Ending(
        means,
        (
            Step(typed("evaluate", model, "--data", settings.data), "Measure it on the test sessions"),
            Step(
                typed("find", "--robot", "sim", "--model", model, "--record", recording),
                "Let it drive a simulated robot",
            ),
        ),
        {"model": Path(model)},
    )


def after_compare(settings: Any, result: Result) -> Ending:
    """The page has the answer."""
    page = Path(result["page"])
    again = typed("compare", "--data", settings.data, "--out", settings.out, "--page-only")
    return Ending(
        "The page says what pretraining is worth with these images, and how sure that is.",
        (Step(again, "Draw the page again, without training"),),
        {"page": page},
    )


def after_lesson(settings: Any, result: Result) -> Ending:
    """The page is to be opened; a lesson of one's own needs a comparison."""
    means = (
        "One file: it works without a network, also from a USB stick. Open it in a browser; at its end is a "
        "teacher's sheet to print."
    )
    if not result.get("photos", True):
        means += " It cannot look at photos: the comparison holds no ssd300_mobilenet_v1 of both sides."
    own = typed("compare", "--data", "data", "--out", free_name(Path("runs/compare")))
    steps = (
        [Step(own, "Train both yourself (hours, with PyTorch), for a lesson with --compare")]
        if not settings.compare
        else []
    )
    other = "de" if settings.language == "en" else "en"
    page = free_name(settings.out.with_stem(f"{settings.out.stem}-{other}"))
    words = ("lesson", *(("--compare", settings.compare) if settings.compare else ()), "--language", other)
    steps.append(Step(typed(*words, "--out", page), "The same page in the other language"))
    return Ending(means, tuple(steps), {"page": Path(result["page"])})


def after_retrain(settings: Any, result: Result) -> Ending:
    """The fine-tuned model is beside the page."""
    model = settings.out / "after.safetensors"
    if settings.sizes:
        words = ("retrain", settings.model, "--data", settings.data, "--out", free_name(Path("runs/retrain")))
        step = Step(typed(*words), "Make a model for this home, from all of its images")
        means = (
            "The page shows what each number of labelled images brings at home, and what it costs elsewhere."
        )
    else:
        step = Step(typed("evaluate", model, "--data", settings.data), "Measure the new model by itself")
        means = "The page shows the model before and after, on new and on old test images."
    return Ending(means, (step,), {"page": Path(result["page"])})


def after_evaluate(settings: Any, result: Result) -> Ending:
    """Where it fails shows on a page, and on one's own images."""
    means = "recall: which share of the Vectors it found; precision: which share of its boxes were Vectors."
    look = Step(typed("detect", settings.model, "PHOTO.jpg"), "Try it on an image of your own")
    if settings.report is not None:
        return Ending(means, (look,), {"page": settings.report})
    page = free_name(Path("runs/report.html"))
    words = ("evaluate", settings.model, "--data", settings.data, "--split", settings.split, "--report", page)
    return Ending(means, (Step(typed(*words), "See where it fails, image by image"), look))


def after_detect(settings: Any, result: Result) -> Ending:
    """What a model sees can be filmed; what it wrongly sees can be learned from."""
    first = settings.inputs[0]
    means = f"A Vector was seen in {result['found']} of {counted(result['images'], 'image')}."
    models = ("--left", "scratch", "--right", settings.model)
    film = free_name(Path("runs") / f"{first.stem}.mp4")
    steps = [
        Step(typed("film", first, *models, "--out", film), "See the boxes, beside those of another model")
    ]
    if result["found"] < result["images"] and not settings.tiles:
        again = typed("detect", settings.model, *settings.inputs, "--tiles")
        steps.append(Step(again, "Look twice: finds more small Vectors"))
    return Ending(means, tuple(steps))


def after_watch(settings: Any, result: Result) -> Ending:
    """Kept images are to be labelled, a recording can be filmed."""
    steps, made = [], {}
    if kept := result["images"]:
        made["images"] = Path(kept[0]).parent
        means = f"{counted(len(kept), 'kept image')}, which nobody has labelled yet."
        steps.append(Step(typed("label", "review", "--data", result["data"]), "Label them on a page"))
    else:
        means = "No image was kept; s keeps one, to be labelled."
    models = ("--left", settings.left, "--right", settings.right)
    if result["recordings"]:
        recording = Path(result["recordings"][-1])
        made["recording"] = recording
        film = free_name(recording.with_suffix(".mp4"))
        steps.append(Step(typed("film", recording, *models, "--out", film), "Film what was recorded"))
    if not steps:
        again = typed("watch", settings.source, *models)
        steps.append(Step(again, "Watch again"))
    return Ending(means, tuple(steps), made)


def after_export(settings: Any, result: Result) -> Ending:
    """How the file is used is on a page of the documentation."""
    least = f"{result['max_score_difference']:.1g} in a score, {result['max_box_difference_px']:.1g} pixels"
    means = (
        f"On {counted(result['images'], 'image')} it sees what the original sees (at most {least} "
        "apart); boxes count "
        f"above {result['threshold']}. docs/exports.md shows how to use it in ten lines."
    )
    other = "openvino" if result["format"] == "onnx" else "onnx"
    suffix = {"openvino": ".xml", "onnx": ".onnx"}[other]
    out = free_name(Path(result["file"]).with_suffix(suffix))
    words = ("export", settings.model, "--format", other, "--out", out)
    return Ending(
        means, (Step(typed(*words), "Write it for other programs, too"),), {"model": Path(result["file"])}
    )


def after_film(settings: Any, result: Result) -> Ending:
    """A film is to be watched, and voted on."""
    film, poll = Path(result["film"]), free_name(Path("runs/poll"))
    models = ("--left", settings.left, "--right", settings.right)
    return Ending(
        f"Both models saw the same {counted(result['frames'], 'frame')}. To watch it: "
        f"{film.absolute().as_uri()}",
        (
            Step(
                typed("poll", settings.input, *models, "--out", poll), "Let people vote which one sees better"
            ),
        ),
        {"film": film} | {name: Path(result[key]) for name, key in MORE_OF_A_FILM if result.get(key)},
    )


def after_poll(settings: Any, result: Result) -> Ending:
    """A poll is served, counted, or carried to another host."""
    poll = result["poll"]
    count = Step(typed("poll", poll, "--result"), "Count the votes; once it is closed, see which was which")
    if settings.result:
        steps = (
            Step(
                typed("poll", poll, "--csv", free_name(Path("runs/votes.csv"))), "Keep the votes as a table"
            ),
        )
        return Ending("Votes are counted; how sure the answer is, stands beside the numbers.", steps)
    serve = Step(typed("poll", poll), "Serve the page again, on this computer")
    return Ending("Votes are kept in the poll's folder.", (count, serve), {"poll": Path(poll)})
