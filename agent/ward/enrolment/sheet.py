"""The list of devices as a spreadsheet saves it: one row a device, each wrong row told with its line. Pure."""
import csv
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from agent.config.check import check_table
from agent.config.settings import Title
from agent.core.card import cloud_init
from agent.core.card.boot_judge import OURS, SENSORS
from agent.core.contract.enrolment import Serial, Site
from agent.ward.enrolment.entries import DevicePlace

DELIMITERS = ",;\t"             # a spreadsheet takes what is usual in its country
YES, NO = frozenset(("yes", "true", "1", "x", "có")), frozenset(("", "no", "false", "0", "không"))
ROWS_MAX = 20_000               # so many devices a ward's ingest knows
LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z"


class SheetError(Exception):
    """The list can't be read at all; the text names the line and the remedy."""


class DeviceRow(Struct, kw_only=True, frozen=True):
    """A row; what is left out has its default."""

    serial: Serial
    site: Site = ""
    household: Annotated[str, Meta(max_length=80, pattern=LINE, description="without line breaks")] = ""
    title: Title = ""
    cameras: Annotated[int, Meta(ge=0, le=32)] = 1
    wifi: Annotated[str, Meta(max_length=32, pattern=LINE, description="without line breaks")] = ""
    wifi_password: str = ""
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="two capital letters, as VN")] = "VN"
    board: str = ""
    sensor: str = ""
    join: bool = False

    @property
    def place(self) -> DevicePlace:
        """What of it the book keeps: all but the password."""
        return DevicePlace(**{name: value for name, value in msgspec.structs.asdict(self).items()
                              if name != "wifi_password"})


COLUMNS = DeviceRow.__struct_fields__


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that is not done, and what would be right."""

    line: int
    serial: str
    text: str


def read_sheet(data: bytes) -> tuple[list[DeviceRow], list[WrongRow]]:
    """The rows that are right, and the others. Raises SheetError where no row can be understood."""
    try:
        lines = data.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        line = 1 + data[:error.start].count(b"\n")
        raise SheetError(f'{line}: is not in UTF-8; save the list as "CSV UTF-8"') from error
    rows, right, wrong = _rows(lines), list[DeviceRow](), list[WrongRow]()
    names = _header(next(rows, (1, [])))
    known: dict[str, int] = {}
    for line, cells in rows:
        serial = dict(zip(names, cells, strict=False)).get("serial", "")
        try:
            row = _row(names, cells)
            if (first := known.setdefault(row.serial.lower(), line)) != line:
                raise ValueError(f"serial: stands in line {first}, too: give each device its own")
            right.append(row)
        except ValueError as error:
            wrong.append(WrongRow(line, serial, str(error)))
    if len(right) > ROWS_MAX:
        raise SheetError(f"{len(right)} devices are more than {ROWS_MAX}; make two lists")
    return right, wrong


def _rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty with the number of its first line. Raises SheetError."""
    head = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(DELIMITERS, key=head.count), strict=True)
    begins = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield begins, stripped
            begins = reader.line_num + 1
    except csv.Error as error:
        raise SheetError(f"{begins}: {error}; look for a quotation mark that is not closed") from error


def _header(first: tuple[int, list[str]]) -> list[str]:
    line, names = first[0], [name.lower().replace(" ", "_") for name in first[1]]
    for name in names:
        if name not in COLUMNS:
            close = difflib.get_close_matches(name, COLUMNS, 1)
            raise SheetError(f"{line}: there is no column {name!r}; " + (
                f"did you mean {close[0]}?" if close else f"the first line has names of {', '.join(COLUMNS)}"))
        if names.count(name) > 1:
            raise SheetError(f"{line}: the column {name} stands there twice; take one out")
    if "serial" not in names:
        raise SheetError(f"{line}: the column serial is missing; the first line has the columns' names")
    return names


def _row(names: Sequence[str], cells: Sequence[str]) -> DeviceRow:
    """Raises ValueError with everything that is wrong."""
    if len(cells) > len(names):
        raise ValueError(f"has {len(cells)} cells, and the first line names {len(names)}; put a cell with commas into "
                         "quotation marks")
    values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    values |= {name: int(values[name]) for name in ("cameras",) if values.get(name, "").isdecimal()}
    join = values.get("join", "").lower()
    values["join"] = join in YES
    wrong = [f"{problem.path[0]}: {problem.text}" for problem in check_table(values, DeviceRow)] if (
        values.get("serial")) else ["serial: is missing; write what stands on the device"]
    wrong += [] if join in YES | NO else [f"join: {join!r} is neither yes nor no"]
    wrong += _unknown("board", values, OURS) + _unknown("sensor", values, SENSORS)
    wrong += _wifi(values.get("wifi", ""), values.get("wifi_password", ""))
    if wrong:
        raise ValueError("; ".join(wrong))
    return msgspec.convert(values, DeviceRow)


def _unknown(name: str, values: dict[str, Any], known: Sequence[str] | frozenset[str]) -> list[str]:
    value = values.get(name, "")
    return [f"{name}: {value!r} is not one of {', '.join(sorted(known))}"] if value and value not in known else []


def _wifi(name: str, password: str) -> list[str]:
    """What is wrong with both, never what the password is."""
    if password and not name:
        return ["wifi: is missing, and there is a password for it"]
    if len(name.encode()) > cloud_init.SSID_B_MAX:
        return [f"wifi: has more than {cloud_init.SSID_B_MAX} bytes; letters with accents take up to three"]
    if password and not cloud_init.HEXADECIMAL.fullmatch(password) and (
            len(password.encode()) not in cloud_init.PASSWORD_N or not password.isprintable()):
        return ["wifi_password: has 8 to 63 characters; write it as it stands on the router"]
    return []
