"""Checks a ledger's rows: content, signatures, order, gaps, times, and heads that others have seen."""
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from agent.core.evidence.ledger.acts import DatabaseMended, KeyChange, LedgerBegin
from agent.core.evidence.ledger.clocks import check_clocks
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.row import LedgerLine, Row, RowHead, chained, decode, fingerprint, message

Verifies = Callable[[bytes, bytes, bytes], bool]        # public key, signature, message; never raises
NOTHING = RowHead()                                        # the head before the first row
SAYS = {
    FlawCode.ROW_EDITED: "row {n} is not what was signed: its content or its hash was changed",
    FlawCode.ROW_FOREIGN: "row {n} is not signed by the device: it was inserted or replaced by someone else",
    FlawCode.KEY_CHANGED: "from row {n} on another key signs, which confirms nothing before: was the old one lost?",
    FlawCode.KEY_FOREIGN: "the ledger is not signed with the key that was named",
    FlawCode.ROWS_REORDERED: "row {n} is there twice",
    FlawCode.SIGNATURE_BROKEN: "the signature of row {n} is damaged; the row after it still confirms its content",
}


@dataclass(slots=True)
class Checked:
    """The result: the findings, and the rows that the device's key confirms, in order."""

    rows: list[Row] = field(default_factory=list)
    findings: list[Flaw] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)     # the signing keys, oldest first
    broken: set[str] = field(default_factory=set)       # clips that only invalid rows name
    last_n: int = 0
    waiting_n: int = 0              # acts without a signature yet

    @property
    def stretches(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for row in self.rows:
            if found and found[-1][1] == row.n - 1:
                found[-1] = (found[-1][0], row.n)
            else:
                found.append((row.n, row.n))
        return found


def check(lines: Iterable[LedgerLine], verifies: Verifies, *, heads: Mapping[int, str] | None = None, key: str = "",
          told_key: bytes | None = None, waiting: Iterable[Row] = (), noted_n: int | None = None,
          after: RowHead = NOTHING) -> Checked:
    """Checks the rows as they are stored, in the order of their numbers.

    `heads` are row numbers with the first hex digits of their hashes, as a ward has seen them. `key` is the public
    key's fingerprint, as a person has kept it. `told_key` is the key in the database; it is tried if the row that
    should bring the key is damaged. `waiting` are noted acts without a signature, and `noted_n` is the number of all
    noted acts. Without a head, a check cannot find out that the end was cut off. `after` is the row before a section
    of the ledger; it confirms nothing by itself.
    """
    reader = _LedgerReader(verifies, key, told_key, after)
    reader.read(list(lines))
    checked, waiting = reader.checked, list(waiting)
    checked.waiting_n = len(waiting)
    checked.findings += _order(reader.vouched, reader.numbers, after)
    checked.rows.sort(key=lambda row: row.n)
    checked.findings += _heads(reader.hashes, checked.last_n, heads or {})
    checked.findings += _acts(checked, waiting, noted_n, after.n)
    checked.findings += _check_repairs(checked.rows) if not after.n else ()
    checked.findings += check_clocks(checked.rows, [*checked.rows, *waiting])
    checked.findings += _device(checked.rows, is_whole=not after.n)
    return checked


class _LedgerReader:
    def __init__(self, verifies: Verifies, key: str, told_key: bytes | None, after: RowHead) -> None:
        self._verifies, self._key = verifies, key
        self._spare = [told_key] if told_key else []
        self.checked = Checked()
        self.vouched: list[tuple[Row, LedgerLine]] = []
        self.numbers: set[int] = set()              # every number that a line claims
        self.hashes: dict[int, bytes] = {after.n: after.hash}
        # Whole rows without a valid signature. A signed row that follows them may confirm them.
        self._doubtful: list[tuple[Row, LedgerLine]] = []

    def read(self, lines: list[LedgerLine]) -> None:
        for line in lines:
            row = decode(line.doc)
            if row is None or chained(line.prev, line.doc) != line.hash:
                self._refuse(FlawCode.ROW_EDITED, line, row)
            elif self._signed(line, row):
                self._settle_doubts(line.prev)
                self._hold(row, line)
            else:
                self._doubtful.append((row, line))
        self._settle_doubts(b"")

    def _count(self, number: int) -> None:
        self.numbers.add(number)
        self.checked.last_n = max(self.checked.last_n, number)

    def _settle_doubts(self, wanted: bytes) -> None:
        """The next signed line confirms the doubtful lines that it follows; `wanted` is its prev."""
        covered = []
        while self._doubtful:
            row, line = self._doubtful.pop()
            if line.hash == wanted:
                covered.append((row, line))
                wanted = line.prev
            else:
                self._refuse(FlawCode.ROW_FOREIGN, line, row)
        for row, line in reversed(covered):
            self._report(FlawCode.SIGNATURE_BROKEN, row.n)
            self._hold(row, line)

    def _hold(self, row: Row, line: LedgerLine) -> None:
        self._count(row.n)
        if self.hashes.get(row.n) == line.hash:
            self._report(FlawCode.ROWS_REORDERED, row.n)
            return
        self.vouched.append((row, line))
        self.checked.rows.append(row)
        self.hashes[row.n] = line.hash

    def _refuse(self, code: FlawCode, line: LedgerLine, row: Row | None) -> None:
        """Uses the number under which the line is stored, because the line's own content is not trusted."""
        self._count(line.n)
        clip = row.body.get("clip") if row else None
        clip = clip if isinstance(clip, str) else None
        self.checked.broken |= {clip} if clip else set()
        self._report(code, line.n, clip)

    def _report(self, code: FlawCode, n: int, clip: str | None = None) -> None:
        self.checked.findings.append(Flaw(code, SAYS[code].format(n=n), n, clip))

    def _signed(self, line: LedgerLine, row: Row) -> bool:
        brought = _key(row) if self._may_bring(line, row) else None
        keys = [brought] if brought else self.checked.keys[::-1] or self._spare
        vouches = next((key for key in keys if self._verifies(key, line.sig, message(line.hash))), None)
        if vouches is not None and vouches not in self.checked.keys:
            self._accept_key(vouches, row.n)
        return vouches is not None

    def _may_bring(self, line: LedgerLine, row: Row) -> bool:
        """The first row may bring a key, and so may a row that follows a valid one."""
        if not self.checked.keys:
            return row.kind == LedgerBegin.KIND
        return row.kind == KeyChange.KIND and self.hashes.get(row.n - 1) == line.prev

    def _accept_key(self, key: bytes, n: int) -> None:
        if self.checked.keys:
            self._report(FlawCode.KEY_CHANGED, n)
        elif self._key and fingerprint(key) != self._key.lower():
            self._report(FlawCode.KEY_FOREIGN, n)
        self.checked.keys.append(key)


def _key(row: Row) -> bytes | None:
    try:
        brings = row.kind in (LedgerBegin.KIND, KeyChange.KIND) and not row.act_n
        return bytes.fromhex(row.body["key"]) if brings else None
    except (KeyError, ValueError, TypeError):
        return None


def _order(vouched: list[tuple[Row, LedgerLine]], numbers: set[int], after: RowHead) -> Iterator[Flaw]:
    highest = 0
    for row, _ in vouched:
        if row.n < highest:
            yield Flaw(FlawCode.ROWS_REORDERED, f"row {row.n} lies behind row {highest}", row.n)
        highest = max(highest, row.n)
    for first, last in _gaps(numbers, after.n + 1):
        rows = f"row {first} is" if first == last else f"rows {first} to {last} are"
        yield Flaw(FlawCode.ROW_REMOVED, f"{rows} missing", first)
    by_number = {row.n: line for row, line in vouched}
    for number, line in by_number.items():
        before = by_number.get(number - 1)
        if line.prev != (before.hash if before else after.hash) and (before or number == after.n + 1):
            yield Flaw(FlawCode.CHAIN_BROKEN, f"row {number} follows on another row than the one before it: "
                                             "two histories were mixed", number)


def _gaps(numbers: set[int], expected: int) -> Iterator[tuple[int, int]]:
    for number in sorted(numbers):
        if number > expected:
            yield expected, number - 1
        expected = max(expected, number + 1)


def _heads(hashes: Mapping[int, bytes], last_n: int, heads: Mapping[int, str]) -> Iterator[Flaw]:
    for number, digits in sorted(heads.items()):
        if number > last_n:
            yield Flaw(FlawCode.TAIL_CUT, f"the ledger ends with row {last_n}, but row {number} was seen by others",
                       last_n)
        elif number not in hashes or not hashes[number].hex().startswith(digits.lower()):
            yield Flaw(FlawCode.HEAD_DIFFERS, f"row {number} is not the one that others have seen", number)


def _acts(checked: Checked, waiting: list[Row], noted_n: int | None, after_n: int) -> Iterator[Flaw]:
    """Every noted act must be signed or waiting. Acts in invalid rows are not asked for. In a section from the middle
    of a ledger, its first act gives the number to start from."""
    held, n = {row.n for row in checked.rows}, after_n
    act_n = next((row.act_n for row in checked.rows if row.act_n), 1) - 1 if after_n else _begun_at(checked.rows)
    for row in [*(row for row in checked.rows if row.act_n), *waiting]:
        row_n = row.n or checked.last_n + 1
        if row.act_n != act_n + 1 and held.issuperset(range(n + 1, row_n)):
            yield Flaw(FlawCode.ACT_MISSING,
                       f"acts are numbered without a gap, but act {row.act_n} follows act {act_n}", row.n or None)
        act_n, n = row.act_n, row_n
    if noted_n is not None and noted_n > act_n and held.issuperset(range(n + 1, checked.last_n + 1)):
        yield Flaw(FlawCode.ACT_MISSING, f"{noted_n} acts were noted, but the last one in the ledger is act {act_n}")


def _begun_at(rows: list[Row]) -> int:
    """The first row names the last act of a lost earlier database."""
    acts_n = rows[0].body.get("acts_n") if rows and rows[0].kind == LedgerBegin.KIND else 0
    return acts_n if isinstance(acts_n, int) else 0


def _check_repairs(rows: list[Row]) -> Iterator[Flaw]:
    for row in rows:
        if row.kind != DatabaseMended.KIND:
            continue
        try:
            repair = msgspec.convert(row.body, DatabaseMended)
        except msgspec.ValidationError as error:
            yield Flaw(FlawCode.ROW_MALFORMED, f"row {row.n} is signed, but no {row.kind}: {error}", row.n)
            continue
        if not repair.ledger_n:
            known = f"there were {repair.before_n} rows or more" if repair.before_n else "whether there were rows"
            yield Flaw(FlawCode.LEDGER_RENEWED, f"the database was damaged, and the ledger went with it: {known} "
                                               f"before{'' if repair.before_n else ', nobody knows'}", row.n)
        elif repair.ledger_n < (repair.before_n or 0):
            yield Flaw(FlawCode.LEDGER_RENEWED, f"the database was damaged, and of {repair.before_n} rows those behind "
                                               f"row {repair.ledger_n} were lost", row.n)
        elif repair.ward_n:
            yield Flaw(FlawCode.LEDGER_RENEWED, f"by the link's word the card went back in time: the ward has message "
                                               f"{repair.ward_n}, and rows behind row {repair.ledger_n} may have been "
                                               "lost", row.n)


def _device(rows: list[Row], is_whole: bool) -> Iterator[Flaw]:
    """All rows must belong to one device and one board. A change is reported once. The first row of a whole ledger
    names the board, if there is one; without that row it is the first one named."""
    device = rows[0].dev if rows else ""
    is_begun = is_whole and bool(rows) and rows[0].kind == LedgerBegin.KIND
    serial = next((row.body["serial"] for row in (rows[:1] if is_begun else rows) if "serial" in row.body), None)
    for row in rows:
        here = row.body.get("serial", serial)
        if row.dev != device:
            yield Flaw(FlawCode.DEVICE_DIFFERS, f"from row {row.n} on it is the device {row.dev}, not {device}", row.n)
        elif here != serial:
            yield Flaw(FlawCode.DEVICE_DIFFERS, f"from row {row.n} on it is the board {here}, not {serial}: "
                                               "the card was moved", row.n)
        device, serial = row.dev, here
