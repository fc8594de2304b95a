"""Gives a process of root's the rights of the store's owner, so that nothing in the store can mislead root.

On a device the owner is the keeper's user, and each role has a user; elsewhere the owner is the person who records.
"""
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEEPER = "taimat-keeper"
READERS = ("taimat-capture", "nobody")      # users who read cameras' data instead of root; the first that exists
DEVICES = "video"           # the group of cameras, as the capture unit has it
UMASK = 0o007               # as the units have it


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights that the kernel checks when a file is opened."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int = UMASK

    @classmethod
    def of_user(cls, user: pwd.struct_passwd) -> "Rights":
        return cls(user.pw_uid, user.pw_gid, tuple(os.getgrouplist(user.pw_name, user.pw_gid)))

    def put_on(self) -> None:
        """Takes these rights; a process that began as root can go back."""
        os.seteuid(os.getuid())
        os.setgroups(self.groups)
        os.setegid(self.gid)
        os.seteuid(self.uid)
        os.umask(self.umask)

    def put_on_for_good(self) -> None:
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)
        os.umask(self.umask)


_first: list[Rights] = []       # this process's first rights, after `step_down`


def step_down(store: Path) -> None:
    """As root, takes the rights of the store's owner. Does nothing for other users, or if root owns the store."""
    if os.geteuid() != 0 or (rights := _owner(store)) is None:
        return
    umask = os.umask(UMASK)
    _first[:] = [Rights(0, os.getegid(), tuple(os.getgroups()), umask)]
    rights.put_on()


@contextmanager
def as_owner(store: Path) -> Iterator[None]:
    """Steps down inside the context only."""
    step_down(store)
    try:
        yield
    finally:
        _step_up()


@contextmanager
def as_before() -> Iterator[None]:
    """Takes the process's first rights inside the context: for a file that a person asked for."""
    stepped_down = Rights(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    was_down = _step_up()
    try:
        yield
    finally:
        if was_down:
            _first[:] = [was_down]
            stepped_down.put_on()


def give_to_caller(path: Path) -> None:
    """Gives a file, or a folder with its contents, to the user who called sudo. Elsewhere, and for a device such as
    /dev/null, it does nothing. Raises OSError."""
    ids = [os.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID")]
    if os.geteuid() != 0 or not all(map(str.isdecimal, ids)):
        return
    for each in (path, *path.rglob("*")):
        if stat.S_IFMT(each.lstat().st_mode) in (stat.S_IFREG, stat.S_IFDIR):
            os.chown(each, *map(int, ids), follow_symlinks=False)


def _step_up() -> Rights | None:
    if not _first:
        return None
    first = _first.pop()
    first.put_on()
    return first


def _owner(store: Path) -> Rights | None:
    try:
        seen = os.stat(store)
    except OSError:
        return None
    if seen.st_uid == 0:
        return None
    try:
        return Rights.of_user(pwd.getpwuid(seen.st_uid))
    except KeyError:
        return Rights(seen.st_uid, seen.st_gid, (seen.st_gid,))


def of_role(store: Path, role: str) -> Rights | None:
    """Returns the rights of a role's user, for root on a device; None elsewhere: all roles have one user there."""
    if os.geteuid() != 0:
        return None
    try:
        return _account(f"taimat-{role}") if pwd.getpwuid(os.stat(store).st_uid).pw_name == KEEPER else None
    except (OSError, KeyError):
        return None


def become(role: str, store: Path) -> None:
    """As root on a device, becomes the role's user for good."""
    if (rights := of_role(store, role)) is not None:
        rights.put_on_for_good()


def become_reader() -> None:
    """As root, becomes the user who reads cameras' data, for good; does nothing for other users. The user is "nobody"
    if capture's does not exist, as on a developer's computer. Raises OSError."""
    if 0 not in os.getresuid():
        return
    rights = next(filter(None, map(_account, READERS)), None)
    if rights is None:
        raise PermissionError(f"root may not read what cameras send, and there is no user {' or '.join(READERS)}")
    os.seteuid(0)           # a process that has only stepped down still has root's id
    rights.put_on_for_good()


def _account(name: str) -> Rights | None:
    """An account's rights, with cameras' devices if it reads cameras; None if the account does not exist."""
    try:
        rights = Rights.of_user(pwd.getpwnam(name))
    except KeyError:
        return None
    cameras = [group.gr_gid for group in grp.getgrall() if group.gr_name == DEVICES and name in READERS]
    return Rights(rights.uid, rights.gid, (*rights.groups, *cameras))
