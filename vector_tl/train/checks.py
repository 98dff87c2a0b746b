"""What is refused before a training reads or writes anything."""

import math

from vector_tl.errors import UsageError, UserError
from vector_tl.files import refuse_existing, refuse_unwritable
from vector_tl.nets import model_file
from vector_tl.train.curve import finished
from vector_tl.train.settings import TrainSettings


def check_settings(settings: TrainSettings, lr_option: str = "--lr") -> None:
    """Refuse settings that cannot be trained with.

    Args:
        settings: of `vector-tl train`.
        lr_option: the option that gave the learning rate, for the error's sentence.

    Raises:
        UsageError: one of them is out of its range, or two exclude each other.
    """
    lr, epochs, steps = settings.lr, settings.epochs, settings.steps
    allowed = {
        f"--out {settings.out} must end in {model_file.SUFFIX}.": settings.out.suffix == model_file.SUFFIX,
        "--seed must be 0 or more.": settings.seed >= 0,
        "--evaluations must be at least 1.": settings.evaluations >= 1,
        f"{lr_option} {lr or 0:g} must be a number above 0.": lr is None or 0 < lr < math.inf,
        f"--ema {settings.ema:g} must be 0 or more and below 1.": 0 <= settings.ema < 1,
        "--images must be at least 1.": settings.images is None or settings.images >= 1,
        "Give --epochs or --steps, not both.": epochs is None or steps is None,
        "--epochs must be above 0.": epochs is None or 0 < epochs < math.inf,
        "--steps must be at least 1.": steps is None or steps >= 1,
    }
    settings.check_options()
    for message, fine in allowed.items():
        if not fine:
            raise UsageError(message)


def check_place(settings: TrainSettings) -> None:
    """Refuse to write where another model or another training's files are.

    Raises:
        UserError: something is there already, is finished already, or nothing can be written there.
    """
    out, resume_path = settings.out, settings.resume_path
    if resume_path.exists() and not settings.resume and not settings.overwrite:
        raise UserError(
            f"A stopped training of {out} can be resumed: add --resume, or --overwrite to start again."
        )
    if settings.resume and not settings.overwrite and finished(out):
        raise UserError(
            f"The training of {out} is finished, nothing is left to resume; "
            "--overwrite trains it again from the start."
        )
    if not (settings.resume and resume_path.exists()):
        refuse_existing(out, settings.overwrite)
        refuse_unwritable(out)
        refuse_existing(
            settings.curve_path, settings.overwrite
        )  # of a model that was renamed, or another table
