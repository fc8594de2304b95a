"""`taimat run` without the command line: takes the store, runs the supervisor, tells what is wrong by exit codes."""
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.cli import supervisor
from agent.cli.exits import say
from agent.cli.page_link import page_link
from agent.cli.processes import at_work
from agent.config.load import load
from agent.host.files import AlreadyRunning, Lock
from agent.host.stop import Stop
from agent.host.users import as_owner
from agent.process.reload import Reload
from agent.process.role import arguments
from agent.store.folders import Folders


def main(argv: Sequence[str] | None = None) -> int:
    """Supervise all roles until a signal; one device a store. Returns the exit code."""
    config = arguments("run").parse_args(argv).config
    if os.geteuid() == 0:
        os.umask(0o007)     # as the units have it: what root makes here, their users go on with
    try:
        settings = load(config)
        store = Path(settings.store.folder)
        with as_owner(store):
            folders = Folders(store).create()
            lock = Lock(folders.lock("run"))
        for unit, pid in at_work(folders.root).items():
            raise AlreadyRunning(f"process {pid} already works on {folders.root} as {unit}; "
                                 f"stop it first (systemctl stop 'taimat-*')")
        if settings.web.enabled and sys.stdout.isatty():
            with as_owner(store):
                link = page_link(settings.web, folders)
            print(f"the page, for one browser, within a minute: {link}\nfor others: taimat pair", flush=True)
        supervisor.run(config, Stop().on_signals(), Reload().on_signal())
        lock.release()
    except Exception as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
