"""The form of a camera's picture: drawn areas as rows of fields, the settings that they mean, and problems. Pure.

Corners are typed and sent in percent of width and height, "12.5,40 60,40 60,80"; settings have fractions.
"""
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from agent.config import zones
from agent.config.settings import Camera, Polygon, Zone
from agent.config.source import RAW, parse_source
from agent.core.contract.setup import ChangeCamera
from agent.core.vision.zones.geometry import mirrored
from agent.look.forms import title_of
from agent.web.settings.form import number_from

MASK, IGNORE = "mask", "ignore"
KINDS = (MASK, "watch", "enter", "dwell", "cross", IGNORE)
HIDERS = ("transcode", "camera")        # who can hide what arrives encoded
ROWS_MAX, CORNERS_MAX = 28, 24          # all of it fits into one question to the keeper
DIGITS = 4                              # of a fraction: a tenth of a pixel
# Each field of the detector's and the sensor's settings: its table, and how its text becomes a value.
SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "sensitivity": ("motion", str), "smallest_pct": ("motion", number_from), "flip": ("sensor", str),
    "exposure_ev": ("sensor", number_from), "night_fps": ("sensor", lambda text: int(number_from(text)))}


class DrawnRow(NamedTuple):
    number: int
    kind: str
    corners: str = ""
    name: str = ""
    direction: str = "both"
    dwell_s: str = ""


class PictureForm(NamedTuple):
    """All fields. `settings` has those of SETTINGS; `hides` is one of HIDERS, or "" before the first choice."""

    rows: tuple[DrawnRow, ...]
    hides: str
    settings: Mapping[str, str]


class PictureDraft(NamedTuple):
    """A camera as the form would set it. `problems` has codes by "area-NUMBER", "hides" or a name of SETTINGS."""

    camera: Camera
    problems: Mapping[str, str] = {}


def is_encoded(camera: Camera) -> bool:
    """Whether the video arrives encoded: it may have sound, and the household must choose who paints the masks."""
    return parse_source(camera.source).scheme not in RAW


def has_sensor(camera: Camera) -> bool:
    return parse_source(camera.source).scheme == "picamera"


def form_of(camera: Camera) -> PictureForm:
    drawn = [DrawnRow(0, MASK, _typed(area)) for area in camera.masks]
    drawn += [DrawnRow(0, zone.rule, _typed(zone.line or zone.area), zone.name, zone.direction,
                       dwell_s=f"{zone.dwell_s:g}" if zone.dwell_s else "") for zone in camera.zone]
    drawn += [DrawnRow(0, IGNORE, _typed(area)) for area in camera.motion.ignore]
    rows = tuple(row._replace(number=number) for number, row in enumerate(drawn))
    values = {key: getattr(getattr(camera, table), key) for key, (table, _) in SETTINGS.items()}
    settings = {key: value if isinstance(value, str) else f"{value:g}" for key, value in values.items()}
    return PictureForm(rows, camera.privacy_mask if camera.masks and camera.privacy_mask in HIDERS else "", settings)


def free_number(form: PictureForm) -> int:
    taken = {row.number for row in form.rows}
    return next(number for number in range(ROWS_MAX + 1) if number not in taken)


def with_ignored(form: PictureForm, area: Polygon) -> PictureForm:
    return form._replace(rows=(*form.rows, DrawnRow(free_number(form), IGNORE, _typed(area))))


def read(fields: Mapping[str, str], camera: Camera) -> PictureForm:
    """Returns the form as a browser sent it, without rows that have no corners. Missing settings stay as they are."""
    rows = (DrawnRow(number, fields.get(f"kind-{number}", ""), fields.get(f"corners-{number}", "").strip(),
                     title_of(fields.get(f"name-{number}", "")), fields.get(f"direction-{number}", "both"),
                     dwell_s=fields.get(f"dwell-{number}", "").strip())
            for number in range(ROWS_MAX) if fields.get(f"corners-{number}", "").strip())
    now = form_of(camera)
    return PictureForm(tuple(rows), fields.get("hides", ""),
                       {key: fields.get(key, value).strip() for key, value in now.settings.items()})


def draft(form: PictureForm, camera: Camera) -> PictureDraft:
    return _Draft(form, camera).made()


def change(camera: Camera, drafted: Camera) -> ChangeCamera | None:
    """Returns what root has to set; None if nothing changes.

    If the picture is turned, everything drawn turns with it, because it was drawn on the present picture.
    """
    wanted = _turned(camera, drafted)
    keys: dict[str, Any] = {key: getattr(wanted, key) for key in ("masks", "privacy_mask", "zone")
                            if getattr(wanted, key) != getattr(camera, key)}
    for table, names in (("motion", ("sensitivity", "smallest_pct", "ignore")),
                         ("sensor", ("flip", "exposure_ev", "night_fps"))):
        now, then = getattr(camera, table), getattr(wanted, table)
        changed = {name: getattr(then, name) for name in names if getattr(now, name) != getattr(then, name)}
        keys |= {table: changed} if changed else {}
    return msgspec.convert({"change": "change_camera", "name": camera.name, **msgspec.to_builtins(keys)},
                           ChangeCamera) if keys else None


def corners_of(text: str) -> Polygon | None:
    """Returns corners as fractions; None if they can't be read or lie outside the picture."""
    try:
        corners = [tuple(round(float(value) / 100, DIGITS) for value in corner.split(",")) for corner in text.split()]
    except ValueError:
        return None
    fit = all(len(corner) == 2 and all(0 <= value <= 1 for value in corner) for corner in corners)
    return corners if fit and len(corners) <= CORNERS_MAX else None


def _typed(corners: Polygon) -> str:
    return " ".join(f"{round(100 * x, 2):g},{round(100 * y, 2):g}" for x, y in corners)


class _Draft:
    def __init__(self, form: PictureForm, camera: Camera) -> None:
        self._form, self._camera = form, camera
        self._problems: dict[str, str] = {}
        self._masks: dict[int, Polygon] = {}            # by row
        self._ignored: dict[int, Polygon] = {}
        self._zones: dict[int, Zone] = {}

    def made(self) -> PictureDraft:
        for row in self._form.rows:
            self._sort_in(row)
        camera = msgspec.structs.replace(
            self._camera, masks=list(self._masks.values()), privacy_mask=self._privacy_mask(),
            zone=list(self._zones.values()), sensor=self._set("sensor"),
            motion=msgspec.structs.replace(self._set("motion"), ignore=list(self._ignored.values())))
        for key, code in self._faults(camera):
            self._problems.setdefault(key, code)
        return PictureDraft(camera, self._problems)

    def _sort_in(self, row: DrawnRow) -> None:
        corners = corners_of(row.corners)
        if corners is None:
            self._problems[f"area-{row.number}"] = "bad_corners"
        elif row.kind == MASK:
            self._masks[row.number] = corners
        elif row.kind == IGNORE and not row.name:
            self._ignored[row.number] = corners
        else:
            self._add_zone(row, corners)

    def _add_zone(self, row: DrawnRow, corners: Polygon) -> None:
        key = f"area-{row.number}"
        if not row.name:
            self._problems[key] = "no_name"
            return
        plain: dict[str, Any] = {"name": row.name, "rule": row.kind, "line" if row.kind == "cross" else "area": corners}
        if row.kind == "cross":
            plain["direction"] = row.direction
        try:
            if row.kind == "dwell" and row.dwell_s:
                plain["dwell_s"] = number_from(row.dwell_s)
            self._zones[row.number] = msgspec.convert(plain, Zone)
        except (ValueError, msgspec.ValidationError) as error:
            self._problems[key] = "bad_name" if "$.name" in str(error) else "bad_number"

    def _privacy_mask(self) -> str:
        if not self._masks or not is_encoded(self._camera):
            return self._camera.privacy_mask
        if self._form.hides not in HIDERS:
            self._problems["hides"] = "no_hider"
            return self._camera.privacy_mask
        return self._form.hides

    def _set(self, table: str) -> Any:
        """Returns a table of the camera with the form's settings. A bad value stays as it was and becomes a problem."""
        made = getattr(self._camera, table)
        if table == "sensor" and not has_sensor(self._camera):
            return made
        for key, (its_table, parse) in SETTINGS.items():
            if its_table == table:
                try:
                    value = parse(self._form.settings[key])
                    made = msgspec.convert({**msgspec.to_builtins(made), key: value}, type(made))
                except (ValueError, msgspec.ValidationError):
                    self._problems[key] = "bad_number"
        if table == "sensor" and made.night_fps > self._camera.fps:
            self._problems["night_fps"] = "bad_number"
        return made

    def _faults(self, camera: Camera) -> Iterator[tuple[str, str]]:
        rows = {"masks": list(self._masks), "motion": list(self._ignored), "zone": list(self._zones)}
        for fault in zones.faults(camera):
            place = next(part for part in fault.path if isinstance(part, int))
            yield f"area-{rows[str(fault.path[0])][place]}", fault.code


def _turned(camera: Camera, drafted: Camera) -> Camera:
    was, will = camera.sensor.flip, drafted.sensor.flip
    across, down = ((was in (one, "both")) != (will in (one, "both")) for one in ("horizontal", "vertical"))
    if not across and not down:
        return drafted

    def turn(corners: Polygon) -> Polygon:
        return [(round(x, DIGITS), round(y, DIGITS)) for x, y in mirrored(zones.points(corners), across, down)]

    swapped = {"left": "right", "right": "left", "both": "both"} if across != down else {}
    return msgspec.structs.replace(
        drafted, masks=[turn(area) for area in drafted.masks],
        motion=msgspec.structs.replace(drafted.motion, ignore=[turn(area) for area in drafted.motion.ignore]),
        zone=[msgspec.structs.replace(zone, area=turn(zone.area), line=turn(zone.line),
                                      direction=swapped.get(zone.direction, zone.direction))
              for zone in drafted.zone])
