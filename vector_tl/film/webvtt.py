"""Captions beside a film, as WebVTT (https://www.w3.org/TR/webvtt1/), which players and browsers read."""

import html
from dataclasses import dataclass


@dataclass
class Cue:
    """What a caption says from one moment of the film to another."""

    begin_s: float
    end_s: float
    text: str


class Captions:
    """Captions of a film in order; equal ones that follow each other become one."""

    def __init__(self) -> None:
        self.cues: list[Cue] = []
        self._at_s = 0.0

    def add(self, text: str, seconds: float) -> None:
        """Say `text` for so long, after what was added before; nothing where it is empty."""
        begin_s, self._at_s = self._at_s, self._at_s + seconds
        last = self.cues[-1] if self.cues else None
        if last is not None and last.text == text and last.end_s == begin_s:
            last.end_s = self._at_s
        elif text and seconds > 0:
            self.cues.append(Cue(begin_s, self._at_s, text))

    def webvtt(self) -> str:
        """The file's text."""
        cues = [f"{_time(cue.begin_s)} --> {_time(cue.end_s)}\n{_escaped(cue.text)}\n" for cue in self.cues]
        return "\n".join(["WEBVTT\n", *cues])


def _escaped(text: str) -> str:
    """Without marks of the format; an empty line would end a cue."""
    lines = [html.escape(line, quote=False) for line in text.splitlines() if line.strip()]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    ms = round(1000 * seconds)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
