"""`taimat ward enrol` and `taimat ward handover`: the ward expects devices, and makes bundles and labels for them.

The list of devices is a table as a spreadsheet saves it, one row for each device; a wrong row is named with its line.
The bundles are on the disk before the book knows their claims, so the next run completes what a power cut leaves.
"""
import csv
import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from agent.config.check import check_table
from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.card import cloud_init
from agent.core.card.boot_judge import OURS, SENSORS
from agent.core.contract.enrolment import CLAIM_RANDOM_B, Bundle, CardSettings
from agent.core.household.access import CODE_RANDOM_B, UNLIKE_MIN_N, code_from, grouped
from agent.host.clock import SystemClock
from agent.host.files import write_durably
from agent.host.users import give_to_caller
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import Places
from agent.ward.authority.revoke import throw_out
from agent.ward.enrolment import bundles
from agent.ward.enrolment.book import DevicePlace, EnrolmentBook, Entries, IssuedCertificate
from agent.ward.enrolment.bundles import CardBundle
from agent.ward.enrolment.papers import new_claim
from agent.ward.enrolment.service import roots
from agent.ward.exits import EXIT_NOT_WRITTEN, ended
from agent.ward.settings import Settings

DELIMITERS = ",;\t"             # a spreadsheet takes what is usual in its country
YES, NO = frozenset(("yes", "true", "1", "x", "có")), frozenset(("", "no", "false", "0", "không"))
ROWS_MAX = 20_000               # as many devices as a ward's ingest knows


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
    wifi = cloud_init.wifi_faults(values.get("wifi", ""), values.get("wifi_password", ""))
    wrong += [f"{key}: {text}" for key, text in wifi]
    if wrong:
        raise ValueError("; ".join(wrong))
    return msgspec.convert(values, DeviceRow)


def _unknown(name: str, values: dict[str, Any], known: Sequence[str] | frozenset[str]) -> list[str]:
    value = values.get(name, "")
    return [f"{name}: {value!r} is not one of {', '.join(sorted(known))}"] if value and value not in known else []


EXIT_STILL_IN = 1
EXIT_WRONG_ROWS = 65            # sysexits.h EX_DATAERR
DAY_MS = 86_400_000
ONLY_HERE = ("localhost", "127.0.0.1", "::1")


class BundleMaker:
    """Makes bundles of one ward, whose claims are valid from now on. Raises ConfigError and AuthorityFault."""

    def __init__(self, own: Settings, now_ms: int) -> None:
        self._own, self.now_ms, self.until_ms = own, now_ms, now_ms + own.authority.claim_days * DAY_MS
        self._host = own.authority.host or own.ward.host
        if self._host in ONLY_HERE:
            raise ConfigError(f"[authority] host: devices can't find {self._host!r}; give the name or the address by "
                              "which they reach this ward")
        self._roots = roots(Path(own.authority.ca))

    def bundle(self, place: DevicePlace, wifi_password: str) -> CardBundle:
        own = self._own
        bundle = Bundle(ward=own.ward.ward, ward_name=own.authority.name, host=self._host, broker_port=own.ward.port,
                        enrol_port=own.authority.enrol_port, door_port=own.authority.door_port, roots=self._roots,
                        claim=new_claim(os.urandom(CLAIM_RANDOM_B)), until_ms=self.until_ms, serial=place.serial,
                        site=place.site, title=place.title, join=place.join)
        card = CardSettings(hostname=bundles.hostname(place.serial), wifi=place.wifi, wifi_password=wifi_password,
                            country=place.country, board=place.board, sensor=place.sensor)
        return CardBundle(bundle, _pairing_code(), card)


def _pairing_code() -> str:
    """Skips codes with too few different letters, because a recorder refuses them."""
    while len(set(code := code_from(os.urandom(CODE_RANDOM_B)))) < UNLIKE_MIN_N:
        pass
    return grouped(code)


@dataclass(slots=True)
class EnrolOutcome:
    labelled: list[CardBundle] = field(default_factory=list)    # those whose bundles are in the folder
    new_n: int = 0
    same_n: int = 0
    elsewhere_n: int = 0            # of the same, those without a bundle there
    wrong: list[WrongRow] = field(default_factory=list)
    gone: list[IssuedCertificate] = field(default_factory=list)


def expect(entries: Entries, rows: Iterable[DeviceRow], again: frozenset[str], folder: Path,
           maker: BundleMaker) -> EnrolOutcome:
    """Expects these devices, each with a bundle in `folder`; known ones only if they are in `again`. Raises OSError."""
    done, made = EnrolOutcome(), list[tuple[DevicePlace, CardBundle]]()
    for row in rows:
        known, there = entries.place(row.serial), bundles.read(folder, row.serial)
        if known is None or row.serial.lower() in again:
            made.append((row.place, maker.bundle(row.place, row.wifi_password)))
        elif differing := _differing(row, known, there):
            text = f"{', '.join(differing)}: not as expected so far, and left so; for a new card: --again {row.serial}"
            done.wrong.append(WrongRow(0, row.serial, text))
        else:
            done.same_n += 1
            claim = entries.newest_claim(row.serial)
            if there and claim and there.digest == claim.digest:
                done.labelled.append(there)
            else:
                done.elsewhere_n += 1
    for _, each in made:
        bundles.write(folder, each)
    os.sync()
    for place, each in made:
        done.gone += entries.expect(place, each.digest, maker.now_ms, each.bundle.until_ms)
        done.labelled.append(each)
    done.new_n = len(made)
    return done


def _differing(row: DeviceRow, known: DevicePlace, there: CardBundle | None) -> list[str]:
    """Returns the fields in which a row differs from the book; Wi-Fi passwords are only in the bundle."""
    names = [name for name in DevicePlace.__struct_fields__ if getattr(row.place, name) != getattr(known, name)]
    return names + (["wifi_password"] if there and there.card.wifi_password != row.wifi_password else [])


def _from_book(entries: Entries, serials: Iterable[str], folder: Path) -> Iterator[DeviceRow]:
    """Yields rows of known devices, with the Wi-Fi password of their last bundle if `folder` has it."""
    for serial in serials:
        if (place := entries.place(serial)) is None:
            raise SheetError(f"{serial}: no such device is expected; give it a row in the list")
        there = bundles.read(folder, place.serial)
        yield _row_of(place, there.card.wifi_password if there else "")


def _row_of(place: DevicePlace, wifi_password: str) -> DeviceRow:
    return DeviceRow(**structs.asdict(place), wifi_password=wifi_password)


FAULTS = {ConfigError: EXIT_BAD_CONFIG, SheetError: EXIT_WRONG_ROWS,
          AuthorityFault: EXIT_NOT_WRITTEN}
command = ended(FAULTS, "choose another place, or try it as another user (sudo)")


@command
def run_enrol(config: Path, sheet: Path | None, folder: Path, again: Sequence[str]) -> int:
    own = settings.load(config)
    maker = BundleMaker(own, SystemClock().now().wall_ms)
    try:
        rows, wrong = read_sheet(sheet.read_bytes()) if sheet else ([], [])
    except SheetError as error:
        raise SheetError(f"{sheet}:{error}") from error
    listed = {row.serial.lower() for row in rows}
    wanted = frozenset(serial.lower() for serial in again)
    with EnrolmentBook(Path(own.authority.folder)).change() as entries:
        rows += _from_book(entries, sorted(wanted - listed), folder)
        done = expect(entries, rows, wanted, folder, maker)
    name = "labels.pdf" if sheet else f"label-{'-'.join(sorted(wanted))[:64]}.pdf"
    _label(own, done, folder / name)
    for each in [*wrong, *done.wrong]:
        print(f"{sheet}:{f'{each.line}:' if each.line else ''} {each.serial}: {each.text}", file=sys.stderr)
    code = _print_outcome(done, folder / name, len(wrong) + len(done.wrong))
    return _throw_out(own, Places.of(config, own), done.gone) or code


@command
def run_handover(config: Path, serial: str, household: str, folder: Path) -> int:
    own = settings.load(config)
    maker = BundleMaker(own, SystemClock().now().wall_ms)
    with EnrolmentBook(Path(own.authority.folder)).change() as entries:
        if (known := entries.place(serial)) is None:
            raise SheetError(f"{serial}: no such device is expected; see taimat ward watch --desk")
        place = structs.replace(known, household=household, title="", wifi="")
        done = expect(entries, [_row_of(place, "")], frozenset((serial.lower(),)), folder, maker)
    label = folder / f"label-{place.serial}.pdf"
    _label(own, done, label)
    print(f"{place.serial} is for another household: reset the recorder (taimat reset --factory) or take a new card")
    _print_outcome(done, label, 0)
    return _throw_out(own, Places.of(config, own), done.gone)


def _label(own: Settings, done: EnrolOutcome, path: Path) -> None:
    if done.labelled:
        write_durably(path, bundles.sheets(done.labelled, own.authority.name, own.authority.phone), bundles.OWN_ONLY)
        give_to_caller(path)


def _print_outcome(done: EnrolOutcome, path: Path, wrong_n: int) -> int:
    print(f"{done.new_n} newly expected, {done.same_n} as before, {wrong_n} wrong")
    if done.labelled:
        print(f"bundles: {path.parent}/SERIAL; labels: {path}. Whoever reads them can take a device's place: put the "
              "bundles onto cards (taimat ward card), then delete them")
    if done.elsewhere_n:
        print(f"{done.elsewhere_n} have no bundle here; for a new one, which ends the old: --again SERIAL")
    return EXIT_WRONG_ROWS if wrong_n else 0


def _throw_out(own: Settings, places: Places, gone: Iterable[IssuedCertificate]) -> int:
    """Revokes the certificates at broker and proxy; the book has them already. Returns the exit code."""
    if not (names := sorted({each.dev for each in gone})):
        return 0
    try:
        print(throw_out(own, places, names))
    except AuthorityFault as error:
        print(f"{error}; until it is out: taimat ward revoke {' '.join(names)}", file=sys.stderr)
        return EXIT_STILL_IN
    return 0
