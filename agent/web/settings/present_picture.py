"""A camera's picture and what is drawn on it, in words; the choices of its form; what a rehearsal has found. Pure."""
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.config.derived import transcodes
from agent.config.settings import Camera
from agent.core.contract.busy import Busy, level
from agent.core.contract.rehearsal import MaskCost, RehearsalAnswer, RehearsalEvent
from agent.core.health.report import Report
from agent.core.vision.zones.hint import ZoneHint
from agent.look.words import PageWords
from agent.web.settings.picture_form import HIDERS, KINDS, MASK, ROWS_MAX, DrawnRow, PictureForm, corners_of

WHY = "busy.why."
WIDTH, HEIGHT = 1600, 900           # of a picture whose size nobody has told yet
SIZES_PCT = ("0.03", "0.1", "0.3", "1", "3")
STOPS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
NIGHTS_FPS = (0, 10, 5, 3)
TIGHT_PCT, TOO_MUCH_PCT = 60, 90    # of a core: beyond, a busy scene is painted too slowly, or any


class AreaView(NamedTuple):
    """One row of the form."""

    row: DrawnRow
    label: str                      # as a heading, and for who hears the page
    points: str                     # of an SVG shape, in pixels of the picture
    problem: str


class WordedChoice(NamedTuple):
    """One of a few values, in words, and in fewer or more of them."""

    value: str
    text: str
    short: str


Options = Sequence[tuple[str, str]]     # of a field: value and text


class PictureView(NamedTuple):
    """The form, and the picture that it is about."""

    areas: Sequence[AreaView]
    width: int
    height: int
    kinds: Sequence[WordedChoice]
    directions: Options
    hides: Sequence[WordedChoice]
    form: PictureForm
    fields: Mapping[str, Options]
    problems: Mapping[str, str]         # of fields that are no area
    summary: Sequence[tuple[str, str]]  # of each problem: where on the page, and what
    blank: int                          # the number of a row that is free


def size_of(camera: str, report: Report | None) -> tuple[int, int]:
    """Width and height of the camera's picture, in pixels, as far as capture has told."""
    facts = next((each for each in report.cameras if each.camera == camera), None) if report else None
    return (facts.width, facts.height) if facts and facts.width and facts.height else (WIDTH, HEIGHT)


def label_of(row: DrawnRow, words: PageWords) -> str:
    """What an area or a line is called."""
    short = words(f"picture.short_{row.kind}" if row.kind in KINDS else "picture.area")
    return f"{short}: {row.name}" if row.name and row.kind != MASK else short


def picture_view(form: PictureForm, camera: Camera, problems: Mapping[str, str], size: tuple[int, int],
                 words: PageWords) -> PictureView:
    """The form in words. `problems` are codes as in a PictureDraft."""
    told = {key: words(f"picture.problem.{code}") for key, code in problems.items()}
    wide, high = size
    areas = [AreaView(row, label_of(row, words),
                      " ".join(f"{x * wide:.1f},{y * high:.1f}" for x, y in corners_of(row.corners) or ()),
                      told.get(f"area-{row.number}", "")) for row in form.rows]
    summary = [(f"area-{each.row.number}", f"{each.label}: {each.problem}") for each in areas if each.problem]
    summary += [(key, text) for key, text in told.items() if not key.startswith("area-")]
    kinds = [WordedChoice(kind, words(f"picture.kind_{kind}"), words(f"picture.short_{kind}")) for kind in KINDS]
    directions = [(each, words(f"picture.direction_{each}")) for each in ("both", "left", "right")]
    hides = [WordedChoice(each, words(f"picture.hides_{each}"), words(f"picture.hides_{each}_help")) for each in HIDERS]
    taken = {row.number for row in form.rows}
    blank = next(number for number in range(ROWS_MAX + 1) if number not in taken)
    return PictureView(areas, *size, kinds, directions, hides, form, _fields(form, camera, words), told, summary, blank)


def hint_sentence(hint: ZoneHint, words: PageWords) -> str:
    """What the last day's events were about for nothing, and where."""
    what = "animal" if hint.word == "animal" else "nothing"
    where = words(f"picture.place_{hint.place.down}_{hint.place.across}")
    return words(f"picture.hint_{what}", all=hint.events_n, n=hint.here_n, where=where)


def reasons(words: PageWords) -> list[tuple[str, str]]:
    """What the script says of the newest look, by code: an event, why there is none, or that nothing comes."""
    return [(each, words(f"watch.{each}")) for each in ("event", "still", "silent", "lost")] + [
        (key.removeprefix(WHY), text) for key, text in words.texts.items() if key.startswith(WHY)]


def _fields(form: PictureForm, camera: Camera, words: PageWords) -> dict[str, Options]:
    chosen = form.settings
    stops = _with([f"{stop:g}" for stop in STOPS], chosen["exposure_ev"])
    nights = _with([str(fps) for fps in NIGHTS_FPS if fps < camera.fps], chosen["night_fps"])
    return {
        "sensitivity": [(each, words(f"picture.sensitivity_{each}")) for each in ("low", "normal", "high")],
        "smallest_pct": [(each, words("picture.smallest_pct", pct=words.number_of(each)))
                         for each in _with(SIZES_PCT, chosen["smallest_pct"])],
        "flip": [(each, words(f"picture.flip_{each}")) for each in ("none", "both", "horizontal", "vertical")],
        "exposure_ev": [(each, _exposure(each, words)) for each in stops],
        "night_fps": [(each, words("picture.night_0") if each == "0" else words("picture.night_fps", fps=each))
                      for each in nights]}


def _with(values: Iterable[str], chosen: str) -> list[str]:
    """The usual values, and the present one if it is another."""
    values = list(values)
    return values if chosen in values else [chosen, *values]


def _exposure(ev: str, words: PageWords) -> str:
    if ev == "0":
        return words("picture.exposure_0")
    less = ev.startswith("-")
    return words("picture.exposure_less" if less else "picture.exposure_more", ev=words.number_of(ev.lstrip("-")))


class RehearsalEventView(NamedTuple):
    """An event that would be missed or added."""

    when: str
    zones: str
    picture: str            # its address; "" without one
    link: str               # to the event that was told; "" without one


class RehearsalView(NamedTuple):
    """What a rehearsal has found."""

    sentences: Sequence[str]
    warnings: Sequence[str]
    missed: Sequence[RehearsalEventView]
    added: Sequence[RehearsalEventView]
    missed_text: str = ""
    added_text: str = ""
    more_missed: str = ""
    more_added: str = ""


def rehearsal_view(answer: RehearsalAnswer, camera: Camera, now_wall_ms: int, words: PageWords) -> RehearsalView:
    """The answer in words; `camera` is the one that was tried."""
    if answer.problem:
        return RehearsalView([words("rehearsal.nothing")], [], [], [])
    found = [words("rehearsal.told", n=answer.told_n), words("rehearsal.found", now=answer.now_n, draft=answer.draft_n)]
    if not answer.missed_n and not answer.added_n:
        found.append(words("rehearsal.same"))
    if answer.looked_s < 0.95 * answer.footage_s:
        found.append(words("rehearsal.part", looked=words.span(int(answer.looked_s * 1000)),
                           footage=words.span(int(answer.footage_s * 1000))))
    if camera.record == "motion":
        found.append(words("rehearsal.only_recorded"))
    cost, warnings = _cost(answer.cost, words) if transcodes(camera) else ([], [])

    def views(events: Sequence[RehearsalEvent]) -> list[RehearsalEventView]:
        return [_event_view(each, camera.name, now_wall_ms, words) for each in events]

    def more(all_n: int, shown: Sequence[RehearsalEvent]) -> str:
        return words("rehearsal.more", n=all_n - len(shown)) if all_n > len(shown) else ""

    return RehearsalView(
        [*found, *cost], warnings, views(answer.missed), views(answer.added),
        words("rehearsal.missed", n=answer.missed_n), words("rehearsal.added", n=answer.added_n),
        more(answer.missed_n, answer.missed), more(answer.added_n, answer.added))


def _cost(cost: MaskCost | None, words: PageWords) -> tuple[list[str], list[str]]:
    if cost is None:
        return [words("rehearsal.cost_unknown")], []
    told = [words("rehearsal.cost", pct=round(cost.cpu_pct), cores=cost.cores_n)]
    if cost.cpu_pct > TOO_MUCH_PCT:
        return told, [words("rehearsal.cost_too_much")]
    return told, [words("rehearsal.cost_tight")] if cost.cpu_pct > TIGHT_PCT else []


def _event_view(event: RehearsalEvent, camera: str, now_wall_ms: int, words: PageWords) -> RehearsalEventView:
    when = f"{words.clock(event.began_ms, seconds=True)}, {words.day(event.began_ms, now_wall_ms)}"
    return RehearsalEventView(when, ", ".join(event.zones),
                          "" if event.picture is None else f"/cameras/{camera}/rehearsal/{event.picture}.jpg",
                          "" if event.told_as is None else f"/events/{event.told_as}")


class BusyCell(NamedTuple):
    """A cell of the grid that is busy, from 1 (a little) to 3."""

    column: int
    row: int
    level: int


class BusyView(NamedTuple):
    """A camera's busy areas; only `sentences` while nothing is known."""

    sentences: tuple[str, ...]
    cells: tuple[BusyCell, ...] = ()
    width: int = 0                  # of the picture, pixels
    height: int = 0
    scale: str = ""                 # from cells to pixels, as an SVG transform


def busy_view(busy: Busy | None, words: PageWords) -> BusyView:
    """`busy` is None while the recorder does not answer."""
    if busy is None or busy.state != "ok":
        return BusyView((words("busy.unknown"),))
    cells = tuple(BusyCell(x, y, shown) for y, row in enumerate(busy.grid) for x, value in enumerate(row)
                  if (shown := level(value)))
    places_n = sum(map(len, busy.grid))
    share = words("busy.share", pct=max(1, round(100 * len(cells) / places_n))) if cells else words("busy.none")
    scale = f"scale({busy.width / len(busy.grid[0]):g} {busy.height / len(busy.grid):g})"
    silences = [words(f"busy.why.{each}") for each in busy.silences] or [words("busy.still")]
    now = [words("busy.moving")] if busy.moving else silences
    return BusyView((share, *now), cells, busy.width, busy.height, scale)
