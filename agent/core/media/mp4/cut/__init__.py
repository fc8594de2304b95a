"""Any time out of a camera's recordings, bit-exactly, as one film. docs/design/export.md tells the rules."""
from agent.core.media.mp4.cut.choose import Strip
from agent.core.media.mp4.cut.film import CopyRun, CutFilm, FilmStretch, cut
from agent.core.media.mp4.cut.keys import cut_keys

__all__ = ["CopyRun", "CutFilm", "FilmStretch", "Strip", "cut", "cut_keys"]
