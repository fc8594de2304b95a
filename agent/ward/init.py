"""`taimat ward init`: a first configuration of the ward's ingest, with every key explained.

`python -m agent.ward.init`
"""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.host.files import write_durably
from agent.ward.settings import TEMPLATE

EXIT_NOT_WRITTEN = 73           # sysexits.h EX_CANTCREAT
FOR_ALL = 0o644                 # it holds no secret, and the service's user does not exist yet


def write(target: Path, force: bool) -> int:
    """Write the template to `target`; returns the exit code."""
    if target.exists() and not force:
        print(f"{target}: is already there and was left as it is; use --force to replace it, or edit it",
              file=sys.stderr)
        return EXIT_NOT_WRITTEN
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, TEMPLATE.read_bytes(), FOR_ALL)
    except OSError as error:
        print(f"{target}: {error.strerror}; choose another place: taimat ward init --config FILE", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    print(f"wrote {target}\nnext: 1. edit it: the ward's name, its broker, the ingest's certificate\n"
          f"      2. taimat ward ingest --config {target}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward init")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--force", action="store_true")
    wishes = parser.parse_args(argv)
    return write(wishes.config.absolute(), wishes.force)


if __name__ == "__main__":
    sys.exit(main())
