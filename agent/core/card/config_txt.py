"""Reads Raspberry Pi's config.txt like the firmware: settings, filters, and the scope of an overlay."""
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COLUMNS_MAX = 98                            # the firmware ignores the rest of the line
DIRECTIVES = ("include", "initramfs")       # lines without "="
# The model filters that match each board (raspberrypi.com, "Conditional filters").
BOARDS = {
    "pi02": ("pi02", "pi0w", "pi0"), "pi3": ("pi3",), "pi3+": ("pi3+", "pi3"), "pi4": ("pi4",),
    "pi400": ("pi400", "pi4"), "cm4": ("cm4", "pi4"), "pi5": ("pi5",), "pi500": ("pi500", "pi5"), "cm5": ("cm5", "pi5"),
}
# Models that no recorder runs on. Their sections are ignored.
OTHER_MODELS = ("pi0", "pi0w", "pi1", "pi2", "cm0", "cm1", "cm3", "cm3+", "cm4s", "pi500+", "cm5l")
_OTHER_FILTERS = {"edid": re.compile(r"EDID=.+", re.IGNORECASE), "serial": re.compile(r"0x[0-9a-fA-F]+"),
                  "gpio": re.compile(r"gpio\d+=[01]"), "hdmi": re.compile(r"HDMI:[01]", re.IGNORECASE),
                  "tryboot": re.compile(r"tryboot"), "board-type": re.compile(r"board-type=.+"),
                  "partition": re.compile(r"partition=.+"), "boot": re.compile(r"(boot|cust)\w*=.+")}
_FILTER = re.compile(r"\[(.*)]\s*")


@dataclass(frozen=True, slots=True)
class BootSetting:
    """One `name=value` line, and the filters above it, by kind. Without filters it is for every board."""

    line: int
    name: str
    value: str
    filters: tuple[tuple[str, str], ...] = ()

    def applies_to(self, board: str) -> bool:
        """Whether a board of BOARDS uses it. Filters on anything but the model count as true."""
        return all(kind == "other" or kind == "model" and value in BOARDS[board] for kind, value in self.filters)

    @property
    def section(self) -> str:
        return "".join(f"[{value}]" for _, value in self.filters) or "[all]"


def kind_of(filter_name: str) -> str | None:
    """Returns "all", "none", "model" or "other"; None if there is no such filter."""
    if filter_name in ("all", "none"):
        return filter_name
    if filter_name in BOARDS or filter_name in OTHER_MODELS:
        return "model"
    return "other" if any(each.fullmatch(filter_name) for each in _OTHER_FILTERS.values()) else None


def filter_on(line: str) -> str | None:
    """The filter that a line sets, such as "pi4"; None for any other line."""
    found = _FILTER.fullmatch(line)
    return found[1].strip() if found else None


def settings(text: str) -> list[BootSetting]:
    """Returns all settings in order. Skips lines that are not settings or that the firmware does not understand."""
    found: list[BootSetting] = []
    filters: dict[str, str] = {}
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole[:COLUMNS_MAX].strip()
        if (named := filter_on(line)) is not None:
            filters = _after(filters, named)
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if equals:
                found.append(BootSetting(number, name.strip(), value.strip(), tuple(filters.items())))
    return found


def _after(filters: dict[str, str], named: str) -> dict[str, str]:
    kind = kind_of(named)
    if kind == "all":
        return {}
    if kind is None:
        return filters
    return {**filters, ("model" if kind == "none" else kind): named}


def seen_by(board: str, all_settings: Sequence[BootSetting]) -> list[BootSetting]:
    return [setting for setting in all_settings if setting.applies_to(board)]


@dataclass(frozen=True, slots=True)
class LoadedOverlay:
    line: int
    name: str
    parameters: tuple[str, ...]             # names only, from its own line


def overlays(board: str, all_settings: Sequence[BootSetting]) -> list[LoadedOverlay]:
    """Returns the overlays that a board loads, in order."""
    loaded = ((each, *named(each.value)) for each in seen_by(board, all_settings) if each.name == "dtoverlay")
    return [LoadedOverlay(each.line, name, given) for each, name, given in loaded if name]


def parameters(board: str, all_settings: Sequence[BootSetting]) -> Iterator[tuple[BootSetting, str, str]]:
    """Yields each parameter that applies to a board, as (its line, the overlay in scope or "", its name). A dtparam
    line belongs to the overlay before it, if there is one, until the next overlay or an empty dtoverlay=."""
    scope = ""
    for each in seen_by(board, all_settings):
        if each.name == "dtoverlay":
            scope, given = named(each.value)
            yield from ((each, scope, parameter) for parameter in given)
        elif each.name == "dtparam":
            yield from ((each, scope, one.partition("=")[0]) for one in each.value.split(","))


def named(value: str) -> tuple[str, tuple[str, ...]]:
    """Returns the overlay's name and its parameters' names from the value of a dtoverlay line."""
    name, *given = value.replace(":", ",", 1).split(",")
    return name, tuple(one.partition("=")[0] for one in given if one)
