"""The list of devices as a spreadsheet saves it: one row for each device; a wrong row is named with its line. Pure."""
import csv
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.config.check import check_table
from agent.core.card import network_judge
from agent.core.card.config_judge import OURS, SENSORS
from agent.ward.enrolment.book import DevicePlace

DELIMITERS = ",;\t"             # a spreadsheet takes what is usual in its country
YES, NO = frozenset(("yes", "true", "1", "x", "có")), frozenset(("", "no", "false", "0", "không"))
ROWS_MAX = 20_000               # so many devices a ward's ingest knows


class SheetError(Exception):
    """The list can't be read; the text names the line and the remedy."""


class DeviceRow(DevicePlace, kw_only=True, frozen=True):
    """A row; an empty cell has its default."""

    wifi_password: str = ""

    @property
    def place(self) -> DevicePlace:
        """The row without the Wi-Fi password, which the book does not keep."""
        return DevicePlace(**{name: getattr(self, name) for name in DevicePlace.__struct_fields__})


COLUMNS = DeviceRow.__struct_fields__


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that was skipped, and its correction."""

    line: int
    serial: str
    text: str


def read_sheet(data: bytes) -> tuple[list[DeviceRow], list[WrongRow]]:
    """Returns the right rows and the wrong ones. Raises SheetError if no row can be understood."""
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
    """Yields each row that is not empty, with the number of its first line. Raises SheetError."""
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
    """Raises ValueError with every problem."""
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
    """Returns problems of name and password, without the password."""
    if password and not name:
        return ["wifi: is missing, and there is a password for it"]
    if len(name.encode()) > network_judge.SSID_B_MAX:
        return [f"wifi: has more than {network_judge.SSID_B_MAX} bytes; letters with accents take up to three"]
    if password and not network_judge.HEXADECIMAL.fullmatch(password) and (
            len(password.encode()) not in network_judge.PASSWORD_N or not password.isprintable()):
        return ["wifi_password: has 8 to 63 characters; write it as it stands on the router"]
    return []
