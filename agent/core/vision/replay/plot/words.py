"""The words in a plot, so that a page can hand in its own language."""
from typing import NamedTuple


class PlotWords(NamedTuple):
    """Each is shown as it is; `{}` stands for a number or a name."""

    change: str
    least: str
    most: str
    events: str
    kept: str
    added: str
    missed: str
    gap: str
    unconfirmed: str
    no_zone: str
    cool_down: str
    settling: str
    global_change: str
    frozen: str
    busy: str
    no_picture: str


ENGLISH = PlotWords(
    change="share of the picture that has changed",
    least="counts from {} % on",
    most="global from {} % on",
    events="{}: {}",
    kept="event",
    added="added: no event now",
    missed="missed: an event now",
    gap="nothing recorded",
    unconfirmed="not confirmed",
    no_zone="in no zone",
    cool_down="too soon after an event",
    settling="settling",
    global_change="global change",
    frozen="frozen",
    busy="busy",
    no_picture="no picture",
)
