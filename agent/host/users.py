"""Whose rights a process of root's works with: those of the store's owner, so that nothing in it leads root elsewhere.

On a device the owner is the keeper's user, and each role has one of its own; everywhere else the owner is who records.
"""
import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEEPER = "taimat-keeper"
DEVICES = "video"           # the group of cameras, as the capture unit has it
UMASK = 0o007               # as the units have it


@dataclass(frozen=True, slots=True)
class Rights:
    """What the kernel asks for when a file is opened."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int = UMASK

    @classmethod
    def of_user(cls, user: pwd.struct_passwd) -> "Rights":
        """Of an account, with all groups that it is a member of."""
        return cls(user.pw_uid, user.pw_gid, tuple(os.getgrouplist(user.pw_name, user.pw_gid)))

    def put_on(self) -> None:
        """Have them from now on, with a way back for who began as root."""
        os.seteuid(os.getuid())
        os.setgroups(self.groups)
        os.setegid(self.gid)
        os.seteuid(self.uid)
        os.umask(self.umask)


_first: list[Rights] = []       # what this process began with, once it has stepped down


def step_down(store: Path) -> None:
    """As root, go on with the rights of the store's owner; nothing changes for others, or where root owns it."""
    if os.geteuid() != 0 or (rights := _owner(store)) is None:
        return
    umask = os.umask(UMASK)
    _first[:] = [Rights(0, os.getegid(), tuple(os.getgroups()), umask)]
    rights.put_on()


@contextmanager
def as_owner(store: Path) -> Iterator[None]:
    """The same for a while."""
    step_down(store)
    try:
        yield
    finally:
        _step_up()


@contextmanager
def as_before() -> Iterator[None]:
    """For a while with the rights that this process began with: for a file that a person is handed."""
    stepped_down = Rights(os.geteuid(), os.getegid(), tuple(os.getgroups()))
    was_down = _step_up()
    try:
        yield
    finally:
        if was_down:
            _first[:] = [was_down]
            stepped_down.put_on()


def _step_up() -> Rights | None:
    if not _first:
        return None
    first = _first.pop()
    first.put_on()
    return first


def _owner(store: Path) -> Rights | None:
    """None where it is root's, or not there."""
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
    """For root, on a device: the rights of the role's own user. None elsewhere, where all roles are one user."""
    if os.geteuid() != 0:
        return None
    try:
        if pwd.getpwuid(os.stat(store).st_uid).pw_name != KEEPER:
            return None
        rights = Rights.of_user(pwd.getpwnam(f"taimat-{role}"))
    except (OSError, KeyError):
        return None
    cameras = [group.gr_gid for group in grp.getgrall() if group.gr_name == DEVICES and role == "capture"]
    return Rights(rights.uid, rights.gid, (*rights.groups, *cameras))


def become(role: str, store: Path) -> None:
    """As root, on a device: be the role's user from now on, for good."""
    if (rights := of_role(store, role)) is not None:
        os.setgroups(rights.groups)
        os.setgid(rights.gid)
        os.setuid(rights.uid)
        os.umask(rights.umask)
