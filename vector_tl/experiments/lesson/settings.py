"""Settings of `vector-tl lesson`."""

from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UsageError
from vector_tl.experiments.lesson.words import languages


@dataclass(frozen=True)
class LessonSettings:
    """Make a page that teaches transfer learning: sliders, a quiz, a teacher's sheet. It works offline.

    Without --compare it shows the comparison that ships with this program. The first time, the simulator
    draws the images, which takes about a minute. Nothing of it needs PyTorch.

    Example: vector-tl lesson --language de
    """

    compare: Path | None = None
    """Folder of your own `vector-tl compare`, with any --sizes. The page looks at photos with the models of
    the largest size that both sides finished, if they are ssd300_mobilenet_v1."""
    data: Path | None = None
    """With --compare: its dataset, where that lies elsewhere by now."""
    out: Path = Path("runs/lesson/index.html")
    """Page to write; an earlier one is replaced."""
    language: str = "en"
    """en (English) or de (German); each file in experiments/lesson/words is a language."""

    def check(self) -> None:
        """Raise `UsageError` for values that make no sense."""
        if self.language not in languages():
            raise UsageError(
                f"--language is one of {', '.join(languages())}, not {self.language!r}; another one needs a "
                "file like experiments/lesson/words/en.json."
            )
        if self.data is not None and self.compare is None:
            raise UsageError("--data goes with --compare FOLDER; the shipped comparison brings its images.")
        if self.out.suffix.lower() != ".html":
            raise UsageError(f"--out {self.out} must end in .html.")
