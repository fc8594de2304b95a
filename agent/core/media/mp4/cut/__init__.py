"""Cuts any time from a camera's recordings into one film, without encoding again. Rules: docs/design/evidence.md."""
from agent.core.media.mp4.cut.choose import Strip
from agent.core.media.mp4.cut.film import CopyRun, CutFilm, FilmStretch, cut
from agent.core.media.mp4.cut.keys import cut_keys

__all__ = ["CopyRun", "CutFilm", "FilmStretch", "Strip", "cut", "cut_keys"]
