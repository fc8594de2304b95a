"""A camera's picture and drawn areas in words, the form's choices, and a rehearsal's result. Pure."""
from collections.abc import Iterable, Mapping, Sequence

from agent.config.derived import transcodes
from agent.config.settings import Camera
from agent.core.contract.busy import Busy, level
from agent.core.contract.rehearsal import MaskCost, RehearsalAnswer, RehearsalEvent
from agent.core.health.report import Report
from agent.core.vision.zones.hint import ZoneHint
from agent.look.words import PageWords
from agent.web.live.present_camera import facts_of
from agent.web.server.words import View
from agent.web.settings.picture_form import HIDERS, KINDS, MASK, DrawnRow, PictureForm, corners_of, free_number

WHY = "busy.why."
WIDTH, HEIGHT = 1600, 900           # of a picture whose size is not known yet
DIRECTIONS = ("both", "left", "right")
SIZES_PCT = ("0.03", "0.1", "0.3", "1", "3")
STOPS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
NIGHTS_FPS = (0, 10, 5, 3)
TIGHT_PCT, TOO_MUCH_PCT = 60, 90    # of a core: beyond, a busy scene is painted too slowly, or any


Options = Sequence[tuple[str, str]]     # of a field: value and text


def size_of(camera: str, report: Report | None) -> tuple[int, int]:
    """Returns width and height of the camera's picture in pixels, or a default if capture has not reported them."""
    facts = facts_of(camera, report)
    return (facts.width, facts.height) if facts and facts.width and facts.height else (WIDTH, HEIGHT)


def label_of(row: DrawnRow, words: PageWords) -> str:
    short = words(f"picture.short_{row.kind}" if row.kind in KINDS else "picture.area")
    return f"{short}: {row.name}" if row.name and row.kind != MASK else short


def picture_view(form: PictureForm, camera: Camera, problems: Mapping[str, str], size: tuple[int, int],
                 words: PageWords) -> View:
    """Returns the form and its picture. `problems` has codes as in a PictureDraft; `summary` says where each one is."""
    texts = {key: words(f"picture.problem.{code}") for key, code in problems.items()}
    wide, high = size
    areas = [View(row=row, label=label_of(row, words), problem=texts.get(f"area-{row.number}", ""),
                  points=" ".join(f"{x * wide:.1f},{y * high:.1f}" for x, y in corners_of(row.corners) or ()))
             for row in form.rows]
    summary = [(f"area-{area.row.number}", f"{area.label}: {area.problem}") for area in areas if area.problem]
    summary += [(key, text) for key, text in texts.items() if not key.startswith("area-")]
    kinds = [View(value=kind, text=words(f"picture.kind_{kind}"), short=words(f"picture.short_{kind}"))
             for kind in KINDS]
    hides = [View(value=hider, text=words(f"picture.hides_{hider}"), short=words(f"picture.hides_{hider}_help"))
             for hider in HIDERS]
    return View(areas=areas, width=wide, height=high, kinds=kinds, directions=_options("direction", DIRECTIONS, words),
                hides=hides, form=form, fields=_fields(form, camera, words), problems=texts, summary=summary,
                blank=free_number(form))


def _options(key: str, values: Iterable[str], words: PageWords) -> Options:
    return [(value, words(f"picture.{key}_{value}")) for value in values]


def hint_sentence(hint: ZoneHint, words: PageWords) -> str:
    what = "animal" if hint.word == "animal" else "nothing"
    where = words(f"picture.place_{hint.place.down}_{hint.place.across}")
    return words(f"picture.hint_{what}", all=hint.events_n, n=hint.here_n, where=where)


def reasons(words: PageWords) -> list[tuple[str, str]]:
    """Returns what the script says about the newest look, by code."""
    return [(code, words(f"watch.{code}")) for code in ("event", "still", "silent", "lost")] + [
        (key.removeprefix(WHY), text) for key, text in words.texts.items() if key.startswith(WHY)]


def _fields(form: PictureForm, camera: Camera, words: PageWords) -> dict[str, Options]:
    chosen = form.settings
    stops = _with([f"{stop:g}" for stop in STOPS], chosen["exposure_ev"])
    nights = _with([str(fps) for fps in NIGHTS_FPS if fps < camera.fps], chosen["night_fps"])
    return {
        "sensitivity": _options("sensitivity", ("low", "normal", "high"), words),
        "smallest_pct": [(pct, words("picture.smallest_pct", pct=words.number_of(pct)))
                         for pct in _with(SIZES_PCT, chosen["smallest_pct"])],
        "flip": _options("flip", ("none", "both", "horizontal", "vertical"), words),
        "exposure_ev": [(ev, _exposure(ev, words)) for ev in stops],
        "night_fps": [(fps, words("picture.night_0") if fps == "0" else words("picture.night_fps", fps=fps))
                      for fps in nights]}


def _with(values: Iterable[str], chosen: str) -> list[str]:
    values = list(values)
    return values if chosen in values else [chosen, *values]


def _exposure(ev: str, words: PageWords) -> str:
    if ev == "0":
        return words("picture.exposure_0")
    less = ev.startswith("-")
    return words("picture.exposure_less" if less else "picture.exposure_more", ev=words.number_of(ev.lstrip("-")))


def rehearsal_view(answer: RehearsalAnswer, camera: Camera, now_wall_ms: int, words: PageWords) -> View:
    """`camera` is the one that was tried. `lists` have the events that would be missed, and the added ones."""
    if answer.problem:
        return View(sentences=[words("rehearsal.nothing")], warnings=[], lists=[])
    found = [words("rehearsal.told", n=answer.told_n), words("rehearsal.found", now=answer.now_n, draft=answer.draft_n)]
    if not answer.missed_n and not answer.added_n:
        found.append(words("rehearsal.same"))
    if answer.looked_s < 0.95 * answer.footage_s:
        found.append(words("rehearsal.part", looked=words.span(int(answer.looked_s * 1000)),
                           footage=words.span(int(answer.footage_s * 1000))))
    if camera.record == "motion":
        found.append(words("rehearsal.only_recorded"))
    cost, warnings = _cost(answer.cost, words) if transcodes(camera) else ([], [])
    lists = [View(title=words(f"rehearsal.{key}", n=n), events=[_event_view(event, camera.name, now_wall_ms, words)
                                                                for event in shown],
                  more=words("rehearsal.more", n=n - len(shown)) if n > len(shown) else "")
             for key, n, shown in (("missed", answer.missed_n, answer.missed), ("added", answer.added_n, answer.added))]
    return View(sentences=[*found, *cost], warnings=warnings, lists=lists)


def _cost(cost: MaskCost | None, words: PageWords) -> tuple[list[str], list[str]]:
    if cost is None:
        return [words("rehearsal.cost_unknown")], []
    costs = [words("rehearsal.cost", pct=round(cost.cpu_pct), cores=cost.cores_n)]
    if cost.cpu_pct > TOO_MUCH_PCT:
        return costs, [words("rehearsal.cost_too_much")]
    return costs, [words("rehearsal.cost_tight")] if cost.cpu_pct > TIGHT_PCT else []


def _event_view(event: RehearsalEvent, camera: str, now_wall_ms: int, words: PageWords) -> View:
    when = f"{words.clock(event.began_ms, seconds=True)}, {words.day(event.began_ms, now_wall_ms)}"
    return View(when=when, zones=", ".join(event.zones),
                picture="" if event.picture is None else f"/cameras/{camera}/rehearsal/{event.picture}.jpg",
                link="" if event.told_as is None else f"/events/{event.told_as}")


def busy_view(busy: Busy | None, words: PageWords) -> View:
    """`busy` is None while the recorder does not answer. Without it there are only `sentences`.

    `cells` are column, row and level, from 1 (a little busy) to 3; `scale` transforms cells into pixels.
    """
    if busy is None or busy.state != "ok":
        return View(sentences=(words("busy.unknown"),), cells=[])
    cells = [(x, y, shown) for y, row in enumerate(busy.grid) for x, value in enumerate(row)
             if (shown := level(value))]
    places_n = sum(map(len, busy.grid))
    share = words("busy.share", pct=max(1, round(100 * len(cells) / places_n))) if cells else words("busy.none")
    scale = f"scale({busy.width / len(busy.grid[0]):g} {busy.height / len(busy.grid):g})"
    silences = [words(f"busy.why.{code}") for code in busy.silences] or [words("busy.still")]
    now = [words("busy.moving")] if busy.moving else silences
    return View(sentences=(share, *now), cells=cells, width=busy.width, height=busy.height, scale=scale)
