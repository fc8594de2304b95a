"""`taimat ward backup` and `restore`: what a ward can't make again, as one tar that only its owner can read.

A root's key stays encrypted in it. A database on a server has its own backups. Received footage is copied beside the
tars, each upload once (footage.py).

A restore never unrevokes a certificate: each list becomes the union of the present one and the backup's, and its number
only grows. Certificates issued after the backup stay valid, but the enrolment book does not know them.
"""
import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from cryptography import x509

from agent.host.files import rename_durably
from agent.ward import settings
from agent.ward.authority import accounts, certificates, footage, init, probe
from agent.ward.authority.cas import Cas, lists_in, read_list
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.authority.places import (
    AUTHORITY_USER,
    FOR_ALL,
    FOR_GROUP,
    HERE,
    OWN_ONLY,
    USERS,
    WARD_USER,
    Places,
    folder,
    give,
    has_systemd,
    put,
    put_own,
    reload_broker,
    start_services,
)
from agent.ward.enrolment.book import FILE as BOOK
from agent.ward.enrolment.book import BookFault, EnrolmentBook, IssuedCertificate
from agent.ward.exits import by_root
from agent.ward.settings import Settings

AUTHORITY, ETC, STATE = "authority", "etc", "state"         # the folders in the tar
DATABASE, MARK = "ward.db", "newest-backup"
LISTS = "revoked.pem"                       # beside the tars, and newer than they are: each revocation writes it
SQLITE = "sqlite:///"
FILE_B, FILES_N = 256 << 20, 10_000         # of one file but the database, and how many, at most
NAME = "taimat-ward-{:%Y%m%dT%H%M%SZ}.tar"


def backup(own: Settings, places: Places, target: Path) -> int:
    """Writes the whole tar or nothing; returns how many files are in it. Raises AuthorityFault and OSError."""
    draft, names_n = target.with_name(f".{target.name}.part"), 0
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with places.locked(), tempfile.TemporaryDirectory(prefix="taimat-ward-", dir=target.parent) as held, \
            os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_ONLY), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, path in _files(places, _database(own), Path(held)):
                tar.add(path, name, recursive=False, filter=_plain)
                names_n += 1
        file.flush()
        os.fsync(file.fileno())
    rename_durably(draft, target)
    put(places.authority / MARK, f"{target.absolute()}\n", FOR_ALL)
    return names_n


def backup_to(own: Settings, places: Places, into: Path, now: datetime) -> Path:
    """Writes a backup into `into`, copies new footage there, and deletes the oldest tars. Raises AuthorityFault and
    OSError."""
    target = into / NAME.format(now)
    backup(own, places, target)
    footage.copy_missing(Path(own.intake.folder), into / footage.FOLDER)
    for old in sorted(into.glob("taimat-ward-*.tar"))[:-own.backup.kept_n]:
        old.unlink()
    return target


def copy_lists(own: Settings, places: Places) -> str:
    """Copies the lists of the revoked beside the daily backups; returns why that failed, or ""."""
    path = Path(own.backup.folder, LISTS)
    try:
        if own.backup.folder:
            put(path, places.crl.read_bytes(), FOR_ALL)
    except OSError as error:
        return f"{path}: {error.strerror}; a machine that goes on from a backup would not know of this"
    return ""


def last(places: Places) -> datetime | None:
    """Returns when the newest backup was made. Raises OSError."""
    try:
        return datetime.fromtimestamp((places.authority / MARK).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _database(own: Settings) -> Path | None:
    """Returns the database's file; None for a server, which has its own backups."""
    return Path(own.database.url.removeprefix(SQLITE)) if own.database.url.startswith(SQLITE) else None


def _files(places: Places, database: Path | None, held: Path) -> Iterator[tuple[str, Path]]:
    """Yields names in the tar and the files to store under them. A database is copied as of one moment."""
    if not list(places.authority.glob("*-*.pem")):
        raise AuthorityFault(f"{places.authority}: there is nothing to back up; make the authority: taimat ward init")
    for name, path in ((f"{AUTHORITY}/{BOOK}", places.authority / BOOK), (f"{STATE}/{DATABASE}", database)):
        if path and path.exists():
            with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source, \
                    contextlib.closing(sqlite3.connect(held / path.name)) as copy:
                source.backup(copy)
            yield name, held / path.name
    for path in sorted(places.authority.iterdir()):
        if path.suffix in {".pem", ".key", ".crl", ".canary"}:
            yield f"{AUTHORITY}/{path.name}", path
    for path in sorted(places.etc.rglob("*")):
        if path.is_file() and path.parent != places.public and not path.name.startswith("."):
            yield f"{ETC}/{path.relative_to(places.etc)}", path


def _plain(about: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drops the owner. A restore sets it."""
    about.mode, about.uid, about.gid, about.uname, about.gname = OWN_ONLY, 0, 0, "", ""
    return about


def restore(own: Settings, places: Places, source: Path, now: datetime) -> list[str]:
    """Restores the tar's files; returns lines about its limits. Raises AuthorityFault and OSError."""
    files = _read(source)
    folder(places.etc, 0o755)
    folder(places.public, 0o755)
    folder(places.keys, 0o755)
    folder(places.authority, 0o2750, AUTHORITY_USER, WARD_USER)
    cas = Cas(places)
    with places.locked():
        had = cas.lists() if list(places.authority.glob("*-*.pem")) else {}
        strangers = []
        with contextlib.suppress(BookFault):        # a broken book is what a restore is for
            strangers = _strangers(places, files)
        for name, data in files.items():
            _put_back(places, name, data)
        lines = _put_back_database(source, _database(own))
        beside = _lists_beside(source, cas, now)
        if not had:
            lines.append(_nothing_is_known_since(source, beside))
        _unite(cas, had, now)
        cas.revoke((each.serial_number for listed in beside for each in listed), now)
        probe.ensure_canary(places, cas, now)
        accounts.ensure_all(places, cas, own.authority.host or own.ward.host, now)
    return lines + [f"{each.dev}: was enrolled after this backup: its certificate is valid, but the book lacks it; "
                    f"enrol it again, or throw it out: taimat ward revoke {each.number:x}" for each in strangers]


def _read(source: Path) -> dict[str, bytes]:
    """Returns the tar's files by name; accepts only plain files in the folders of a backup. Raises AuthorityFault."""
    try:
        with tarfile.open(source, "r:") as tar:
            members = [each for each in tar if each.isfile() and each.name != f"{STATE}/{DATABASE}"]
            if len(members) > FILES_N or any(each.size > FILE_B for each in members):
                raise AuthorityFault(f"{source}: is larger than any backup; nothing was changed")
            files = {each.name: tar.extractfile(each).read() for each in members}
    except (OSError, tarfile.TarError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "not a whole tar"
        raise AuthorityFault(f"{source}: {cause}; nothing was changed; take another backup") from error
    for name in files:
        parts = PurePosixPath(name).parts
        if parts[0] not in (AUTHORITY, ETC) or ".." in parts or len(parts) > 3:
            raise AuthorityFault(f"{source}: holds {name!r}, which no backup has; nothing was changed")
    if f"{ETC}/ward.toml" not in files or not any(name.startswith(f"{AUTHORITY}/root-") for name in files):
        raise AuthorityFault(f"{source}: is no backup of a ward; taimat ward backup makes one")
    return files


def _put_back(places: Places, name: str, data: bytes) -> None:
    where, _, rest = name.partition("/")
    if where == AUTHORITY:
        path = places.authority / rest
        is_own = not rest.startswith("root-")
        mode = FOR_GROUP if rest == BOOK else OWN_ONLY if rest.endswith(".key") else FOR_ALL
        put(path, data, mode, AUTHORITY_USER if is_own else "root", WARD_USER if is_own else "root")
        return
    path = places.etc / rest
    path.parent.mkdir(parents=True, exist_ok=True)
    put_own(places, path, data)


def _put_back_database(source: Path, path: Path | None) -> list[str]:
    """Keeps an existing database, because it may know more."""
    if path and path.exists():
        return [f"{path}: exists and stays; to get the backup's, move it away and repeat this"]
    with tarfile.open(source, "r:") as tar:
        if path and f"{STATE}/{DATABASE}" in tar.getnames():
            folder(path.parent, 0o750, WARD_USER, WARD_USER)
            draft = path.with_name(f"{path.name}.part")
            with draft.open("wb") as file:
                shutil.copyfileobj(tar.extractfile(f"{STATE}/{DATABASE}"), file)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(FOR_GROUP)
            give(draft, WARD_USER, WARD_USER)
            rename_durably(draft, path)
    return []


def _lists_beside(source: Path, cas: Cas, now: datetime) -> list[x509.CertificateRevocationList]:
    """Returns the lists beside the backup that one of our CAs has signed. Raises AuthorityFault."""
    path = source.with_name(LISTS)
    keys = [each.certificate.public_key() for each in cas.issuers(now)]
    return [each for each in (lists_in(path) if path.exists() else ())
            if any(each.is_signature_valid(key) for key in keys)]


def _nothing_is_known_since(source: Path, beside: list[x509.CertificateRevocationList]) -> str:
    """Says what a machine without lists can't know. The tar's copies of databases carry the backup's time."""
    with tarfile.open(source, "r:") as tar:
        made = datetime.fromtimestamp(max(each.mtime for each in tar), UTC)
    listed = max([made, *(each.last_update_utc + certificates.LIST_BACKDATED for each in beside)])
    when = "%Y-%m-%d %H:%M UTC"
    return (f"this machine had no lists of the revoked: certificates revoked since {listed:{when}} are valid again; "
            f"revoke them again: taimat ward revoke. Devices enrolled since {made:{when}} get in, too, and are not "
            "in the book: the desk shows them without a household")


def _unite(cas: Cas, had: dict[str, x509.CertificateRevocationList], now: datetime) -> None:
    """Adds the earlier entries to each issuing CA's list, with a number above both."""
    for issuer in cas.issuers(now):
        path = cas.list_of(issuer)
        if before := had.get(path.name):
            both = issuer.revoke(before, (each.serial_number for each in read_list(path)), now,
                                 above=certificates.number_of(read_list(path)))
            put(path, both, FOR_ALL, AUTHORITY_USER, WARD_USER)


def _strangers(places: Places, files: dict[str, bytes]) -> list[IssuedCertificate]:
    """Returns certificates that are valid by the present book and missing in the backup's. Raises BookFault."""
    here = EnrolmentBook(places.authority)
    if not here.path.exists():
        return []
    known = set[int]()
    with tempfile.TemporaryDirectory(prefix="taimat-ward-") as held:
        if data := files.get(f"{AUTHORITY}/{BOOK}"):
            Path(held, BOOK).write_bytes(data)
            with EnrolmentBook(Path(held)).look() as entries:
                known = {each.number for each in entries.certificates()}
    with here.look() as entries:
        return [each for each in entries.certificates() if each.revoked_ms is None and each.number not in known]


@by_root
def run_backup(config: Path, file: Path | None, into: Path | None) -> int:
    own = settings.load(config)
    places = Places.of(config, own)
    if file:
        print(f"{file}: {backup(own, places, file)} files, readable only for its owner")
    else:
        print(f"{backup_to(own, places, _folder_for(own, into), datetime.now(UTC))}: written")
    return 0


def _folder_for(own: Settings, wish: Path | None) -> Path:
    """Returns the folder for backups. It is not made here, because its disk may be missing. Raises AuthorityFault."""
    if not (wish or own.backup.folder):
        raise AuthorityFault("ward.toml: [backup] folder names none; name one there, or by --to")
    if not (into := wish or Path(own.backup.folder)).is_dir():
        raise AuthorityFault(f"{into}: there is no such folder; is its disk mounted? Make it, or name another one: "
                             "[backup] folder in ward.toml")
    return into


@by_root
def run_restore(config: Path, file: Path, reload: str) -> int:
    text = _read(file)[f"{ETC}/ward.toml"].decode(errors="replace")
    own = settings.parse(text, f"{file}: ward.toml")
    places, now = Places.of(config, own), datetime.now(UTC)
    lines = restore(own, places, file, now)
    copied_n = footage.copy_missing(file.with_name(footage.FOLDER), Path(own.intake.folder))
    after = "now taimat ward init makes what it lacks, and taimat ward doctor looks"
    if has_systemd() and not reload and places.etc == Places.below(HERE).etc:
        init.make(places, init.InitWishes("", "", "", "", None), now)       # what no backup holds
        start_services()
        after = "the ward runs; taimat ward doctor looks whether all is well"
    reload_broker(reload, USERS)
    print("\n".join([f"{file}: put back, with {copied_n} uploads from {footage.FOLDER} beside it; {after}", *lines]))
    return 0
