"""Who may read and write what: the store for the roles, secrets for nobody else."""
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.cli.doctor.verdict import CheckVerdict, bad, ok, warn, worst
from agent.cli.exits import with_sudo
from agent.config.settings import Settings
from agent.config.source import RAW, parse_source
from agent.core.passwords import redact

GROUP = "taimat"            # what the package's roles share
KEEPER = "taimat-keeper"    # whose the store is then
VIDEO = "video"


def examine(settings: Settings, config: Path) -> CheckVerdict:
    """All rights that a recorder needs, and those that others must not have."""
    group = roles_group()
    found = [*_folder(Path(settings.store.folder), group), *_folder(Path(settings.store.runtime), group),
             *_secrets(settings, config), *_cameras(settings)]
    return worst(found or [ok("folders and secrets fit " + ("this user" if group is None else f"group {GROUP}"))])


def roles_group() -> int | None:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def _owners() -> set[int]:
    """Whose folders tmpfiles makes."""
    return {0, *(user.pw_uid for user in pwd.getpwall() if user.pw_name == KEEPER)}


def _folder(folder: Path, group: int | None) -> Iterator[CheckVerdict]:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return          # made at the first start
    except OSError as error:
        yield bad(f"{folder}: {error.strerror}", with_sudo())
        return
    if group is not None and status.st_uid in _owners():
        if status.st_gid != group:
            yield bad(f"{folder} is not open to group {GROUP}", "sudo systemd-tmpfiles --create taimat.conf")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield bad(f"{folder} can't be written by user {os.geteuid()}", f"sudo chown -R $USER {folder}")


def _secrets(settings: Settings, config: Path) -> Iterator[CheckVerdict]:
    ward, urls = settings.ward, [each.url_file for each in settings.notify]
    for path in (Path(each) for each in (ward.key, ward.password_file, settings.home.password_file, *urls) if each):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield bad(f"{path}: {error.strerror}", "correct the path, or put the file there")
            continue
        if mode & stat.S_IRWXO:
            yield warn(f"{path} holds a secret and anybody may read it", f"sudo chmod o= {path}")
    yield from passwords(settings, config)


def passwords(settings: Settings, config: Path) -> Iterator[CheckVerdict]:
    """A configuration with cameras' passwords that others than its owner and the roles may read."""
    urls = [url for camera in settings.camera for url in (camera.source, camera.sub)]
    if urls == [redact(url) for url in urls]:
        return
    group, status = roles_group(), config.stat()
    by_all, by_group = status.st_mode & stat.S_IROTH, status.st_mode & stat.S_IRGRP and status.st_gid != group
    if by_all or by_group:
        sudo = "" if status.st_uid == os.geteuid() else "sudo "
        for_roles = group is not None and status.st_uid == 0
        chgrp = f"{sudo}chgrp {GROUP} {config} && " if for_roles and status.st_gid != group else ""
        yield warn(f"{config} holds cameras' passwords, and {'anybody' if by_all else _name(status.st_gid)} may read "
                   "it", f"{chgrp}{sudo}chmod {640 if for_roles else 600} {config}")


def _name(group: int) -> str:
    try:
        return f"group {grp.getgrgid(group).gr_name}"
    except KeyError:
        return f"group {group}"


def _cameras(settings: Settings) -> Iterator[CheckVerdict]:
    """Device nodes of cameras belong to group "video"."""
    for camera in settings.camera:
        spec = parse_source(camera.source)
        if camera.enabled and spec.scheme in RAW:
            node = Path(spec.target) if spec.scheme == "v4l2" else Path("/dev/media0")
            if node.exists() and not os.access(node, os.R_OK | os.W_OK):
                yield bad(f"{node} can't be opened by this user", f"sudo usermod -aG {VIDEO} $USER, then log in again")
