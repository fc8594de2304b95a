"""Finds mistakes in config.txt, board by board, and in cmdline.txt, whose first line is the kernel's command line."""
import re
from collections.abc import Callable, Collection, Iterator, Sequence

from agent.core.card.config_txt import (
    BOARDS,
    COLUMNS_MAX,
    DIRECTIVES,
    BootSetting,
    filter_on,
    kind_of,
    overlays,
    parameters,
    seen_by,
    settings,
)
from agent.core.card.mistake import CardMistake, closest, error, warning
from agent.core.card.overlay_names import BASE, OverlayNames

CONFIG = "config.txt"
OURS = ("pi02", "pi3", "pi4", "pi5")        # the boards that a recorder runs on
SENSORS = frozenset(("arducam-64mp", "arducam-pivariety", "imx219", "imx258", "imx290", "imx296", "imx327", "imx335",
                     "imx378", "imx415", "imx462", "imx477", "imx500", "imx519", "imx708", "ov2311", "ov5647",
                     "ov64a40", "ov7251", "ov9281"))
DISPLAY = "vc4-kms-v3d"
GPU_MIN_MB = 32                             # below, the firmware without encoder and camera (start_cd.elf) starts
CMA_MAX_MB = 192                            # of the 512 MB of a Zero 2 W
QUOTES = "'\"“”‘’„"
# Settings that do nothing on any other board.
ONLY_ON = {
    "arm_boost": ("pi4", "pi400", "cm4"),
    "lock_device_private_key": ("pi4", "pi400", "cm4", "pi5", "pi500", "cm5"),
    "otg_mode": ("pi4", "pi400", "cm4"),
    "usb_max_current_enable": ("pi5", "pi500", "cm5"),
}
# Lines of Raspberry Pi OS: board, setting, value, section, and what is lost without the line.
STOCK = (
    ("pi4", "arm_boost", "1", "[all]", "a Pi 4 then runs at 1.5 GHz and not at 1.8"),
    ("pi5", "dtoverlay", "nospi10", "[pi5]", "it sets this on each Pi 5"),
    ("cm4", "otg_mode", "1", "[cm4]", "the USB ports of a Compute Module 4 stay dead"),
    ("cm5", "dtoverlay", "dwc2,dr_mode=host", "[cm5]", "the USB ports of a Compute Module 5 stay dead"),
)


def judge_config(text: str, names: OverlayNames, known: Collection[str], paired_by_label: bool) -> list[CardMistake]:
    """Returns all mistakes, ordered by line. `known` has all names of settings. `paired_by_label`: no person needs to
    read the pairing code from a screen."""
    found = [*_lines(text, known), *_names(settings(text), names)]
    for rule in (_cameras, _display, _processor, _sections, _stock):
        found += rule(settings(text))
    if not paired_by_label:
        found += _screen(settings(text))
    return sorted(dict.fromkeys(found), key=lambda each: each.line)


def _lines(text: str, known: Collection[str]) -> Iterator[CardMistake]:
    if text.startswith("\ufeff"):
        yield error(CONFIG, 1,
                    "the file begins with an invisible mark (BOM): the firmware does not understand this line",
                    "save it as UTF-8 without BOM; in Windows' Notepad: Save as, encoding UTF-8")
    last = ""
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if len(line) > COLUMNS_MAX and not line.lstrip().startswith("#"):
            yield error(CONFIG, number, f"the line has {len(line)} characters, and the firmware reads {COLUMNS_MAX}",
                        "put parameters into lines of their own below: dtparam=NAME=VALUE")
        if (named := filter_on(line.strip())) is not None:
            last = named
            if kind_of(named) is None:
                yield warning(CONFIG, number, f"there is no filter [{named}]: who uses the lines below is unknown",
                              f"write [{closest(named, [*BOARDS, 'all']) or 'all'}], or take it out")
        elif line.strip() and not line.lstrip().startswith("#"):
            yield from _entry(number, line, known)
    if last not in ("", "all"):
        yield warning(CONFIG, len(text.splitlines()),
                      f"the file ends in [{last}]: what a tool appends counts only there", "add a last line: [all]")


def _entry(number: int, line: str, known: Collection[str]) -> Iterator[CardMistake]:
    name, equals, value = line.partition("=")
    if not equals:
        if name.split()[0] not in DIRECTIVES:
            yield warning(CONFIG, number, f"{line.strip()!r} is not a setting: the firmware ignores it",
                          "write NAME=VALUE, or put # before it")
        return
    if name != name.strip() or value[:1].isspace():
        yield error(CONFIG, number,
                    "a space stands beside the =: the firmware takes it for a part of the name or value",
                    f"write {name.strip()}={value.strip()}")
    if "#" in value:
        yield error(CONFIG, number, "a comment stands behind a setting: the firmware takes it for a part of the value",
                    "put the comment into a line of its own above")
    elif any(mark in value for mark in QUOTES):
        yield warning(CONFIG, number, "the firmware takes quotation marks for a part of the value",
                      "take them out")
    if name.strip().partition(":")[0] not in known:
        close = closest(name.strip(), known)
        yield warning(CONFIG, number,
                      f"{name.strip()} is not a known setting, and the firmware ignores unknown ones",
                      f"is {close} meant?" if close else "correct its name, or take the line out")


def _names(all_settings: Sequence[BootSetting], names: OverlayNames) -> Iterator[CardMistake]:
    say = error if names.complete else warning
    by_whom = "the card's own overlays/README" if names.complete else "the list of names that we have"
    for board in BOARDS:
        for loaded in overlays(board, all_settings):
            if loaded.name not in names.parameters:
                close = names.close_to(loaded.name)
                yield say(CONFIG, loaded.line,
                          f"{by_whom} has no overlay {loaded.name}: the firmware goes on without it",
                          f"is {close} meant?" if close else "correct its name, or take the line out")
        for setting, scope, parameter in parameters(board, all_settings):
            yield from _parameter(setting, scope, parameter, names, say)


def _parameter(setting: BootSetting, scope: str, parameter: str, names: OverlayNames,
               say: Callable[[str, int, str, str], CardMistake]) -> Iterator[CardMistake]:
    of_board = setting.name == "dtparam" and names.takes(BASE, parameter)
    if not scope:
        if not of_board:
            close = names.parameter_close_to(BASE, parameter)
            yield say(CONFIG, setting.line, f"the board has no parameter {parameter}",
                      f"is {close} meant?" if close else "put it behind the overlay that takes it")
    elif scope in names.parameters and not names.takes(scope, parameter):
        if not of_board:
            close = names.parameter_close_to(scope, parameter)
            yield say(CONFIG, setting.line, f"the overlay {scope} has no parameter {parameter}",
                      f"is {close} meant?" if close else "correct its name, or take it out")
    elif of_board and names.takes(scope, parameter) and scope in names.parameters:
        yield warning(CONFIG, setting.line, f"this {parameter} goes to the overlay {scope} above, and not to the board",
                      "end the overlay's scope first, with a line: dtoverlay=")


def _cameras(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    anybody = False
    for board in OURS:
        auto = _last(board, all_settings, "camera_auto_detect")
        sensors = [each for each in overlays(board, all_settings) if each.name in SENSORS]
        anybody = anybody or bool(sensors) or bool(auto and auto.value == "1")
        if sensors and auto and auto.value == "1":
            yield error(CONFIG, sensors[0].line, f"{sensors[0].name} is loaded by hand, while camera_auto_detect=1 "
                        f"(line {auto.line}) finds cameras by itself: they get in each other's way",
                        "set camera_auto_detect=0, or take the overlay out")
        ports: dict[bool, str] = {}
        for each in sensors:
            port = "cam0" in each.parameters
            if port in ports:
                where = "cam0" if port else "cam1"
                yield error(CONFIG, each.line, f"{ports[port]} and {each.name} are both to be at the port {where}",
                            "give one of them the parameter cam0 (Pi 5 and compute modules), or take one out")
            ports[port] = each.name
        if (old := _last(board, all_settings, "start_x")) and old.value == "1":
            yield warning(CONFIG, old.line, "start_x=1 is the old camera system, which Raspberry Pi OS no longer has",
                          "take it out, and let camera_auto_detect=1 do it")
    if not anybody:
        lines = [each for each in all_settings if each.name == "camera_auto_detect" or each.value in SENSORS]
        yield warning(CONFIG, lines[-1].line if lines else 0,
                      f"no Raspberry Pi camera will be found: {_why_no_camera(lines)}",
                      "put camera_auto_detect=1 under [all]; without such a camera (USB, network), leave it")


def _why_no_camera(lines: Sequence[BootSetting]) -> str:
    if not lines:
        return "nothing here looks for one"
    if lines[-1].filters:
        return f"the line that looks for one stands in {lines[-1].section}"
    return "camera_auto_detect is off, and no sensor is named"


def _display(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    for board in OURS:
        sizes = [(each, int(size[1])) for each, scope, parameter in parameters(board, all_settings)
                 if scope.startswith(DISPLAY) and (size := re.fullmatch(r"cma-(\d+)", parameter))]
        if board == "pi02" and sizes and sizes[-1][1] > CMA_MAX_MB:
            yield warning(CONFIG, sizes[-1][0].line,
                          f"{sizes[-1][1]} MB for camera and screen are much of the 512 MB of "
                          "a Zero 2 W", "128 do for a camera of 1920x1080: cma-128")
        if (old := _last(board, all_settings, "gpu_mem")) and old.value.isdigit():
            if int(old.value) > 128:
                yield warning(CONFIG, old.line, f"gpu_mem={old.value} takes memory from Linux, and no camera needs it",
                              "take it out")
            elif int(old.value) < GPU_MIN_MB:
                yield error(CONFIG, old.line, f"gpu_mem={old.value}: the firmware starts without its video encoder",
                            "take it out")
    for loaded in overlays("pi4", all_settings):
        if loaded.name == "vc4-fkms-v3d":
            yield warning(CONFIG, loaded.line, "vc4-fkms-v3d is the old display driver, which libcamera does not like",
                          f"write dtoverlay={DISPLAY}")


def _processor(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    for board in OURS:
        if (bits := _last(board, all_settings, "arm_64bit")) and bits.value == "0":
            yield error(CONFIG, bits.line, "arm_64bit=0: the package is for 64-bit systems",
                        "take it out, and use a 64-bit image")


def _sections(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    for each in all_settings:
        boards = ONLY_ON.get(each.name)
        if boards and each.filters and not any(each.applies_to(board) for board in boards):
            yield warning(CONFIG, each.line,
                          f"{each.name} does nothing in {each.section}: it is for {', '.join(boards)}",
                          "move it below [all], or into the right section")


def _stock(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    for board, name, value, section, loss in STOCK:
        if not any((each.name, each.value) == (name, value) for each in seen_by(board, all_settings)):
            yield warning(CONFIG, 0, f"{name}={value} is missing, which Raspberry Pi OS has: {loss}",
                          f"add it below {section}, and end the file with [all]")


def _screen(all_settings: Sequence[BootSetting]) -> Iterator[CardMistake]:
    for board in OURS:
        for each, scope, parameter in parameters(board, all_settings):
            dark = (scope.startswith(DISPLAY) and parameter.startswith("nohdmi")) \
                or (not scope and parameter == "hdmi" and "hdmi=off" in each.value)
            if dark:
                yield warning(CONFIG, each.line, "the screen (HDMI) is off, but it must show the pairing code",
                              "leave it on until a browser is paired, or put a code into taimat-code.txt")


def _last(board: str, all_settings: Sequence[BootSetting], name: str) -> BootSetting | None:
    found = [each for each in seen_by(board, all_settings) if each.name == name]
    return found[-1] if found else None


CMDLINE = "cmdline.txt"


def judge_cmdline(text: str) -> list[CardMistake]:
    return [*_shape(text), *_words(text.lstrip("\ufeff").partition("\n")[0].split())]


def _shape(text: str) -> Iterator[CardMistake]:
    if text.startswith("\ufeff"):
        yield error(CMDLINE, 1, "the file begins with an invisible mark (BOM), which becomes a part of the first word",
                    "save it as UTF-8 without BOM")
    first, *others = text.split("\n")
    if not first.strip():
        yield error(CMDLINE, 1, "the first line is empty, and the firmware reads no other",
                    "put all words into the first line")
    for number, line in enumerate(others, 2):
        if line.strip():
            yield error(CMDLINE, number, "there is a second line, which the firmware does not read",
                        "put its words at the end of the first line, behind a space")


def _words(words: list[str]) -> Iterator[CardMistake]:
    roots = [word for word in words if word.startswith("root=")]
    if len(roots) != 1:
        why = "there is no root=, so the kernel cannot find its system" if not roots else "root= is there twice"
        yield error(CMDLINE, 1, why, "take the word root=PARTUUID=… from the card as it was flashed")
    elif roots[0] in ("root=", "root=ROOTDEV", "root=PARTUUID=…"):
        yield error(CMDLINE, 1, f"{roots[0]} is a placeholder and names no partition",
                    "take the word root=PARTUUID=… from the card as it was flashed")
    if "rootwait" not in words:
        yield warning(CMDLINE, 1, "rootwait is missing: a kernel that is quicker than its card stops",
                      "add the word rootwait")
    if "cgroup_disable=memory" in words:
        yield warning(CMDLINE, 1, "cgroup_disable=memory: a part of the recorder that leaks takes all memory with it",
                      "take it out")
    if any(word.startswith("systemd.run=") for word in words):
        yield warning(CMDLINE, 1, "systemd.run= is an older Raspberry Pi Imager's: without its file the boot stops",
                      "take out all words that begin with systemd.run and systemd.unit=kernel-command-line")
    if odd := [word for word in words if not word.isascii() or "“" in word]:
        yield warning(CMDLINE, 1, f"{odd[0]} has a character that no word for the kernel has", "type it anew")
