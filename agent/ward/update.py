"""`taimat ward update`: orders a release for devices. The release's maker has signed it; each household decides.

`python -m agent.ward.update`
"""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.config.load import ConfigError
from agent.core.contract.wire.commands import Update
from agent.core.release import ReleaseRefused, read
from agent.host import digest, release_file
from agent.ward import settings
from agent.ward.opslink import ended
from agent.ward.orders import give


def update_of(bundle: Path, url: str) -> Update:
    """The command's args for this release, which devices download from `url`. Raises ConfigError."""
    try:
        with bundle.open("rb") as file:
            told, _, _ = release_file.begin(file)
            version = read(told).version
        return msgspec.convert({"version": version, "url": url, "sha256": digest.sha256(bundle),
                                "bytes": bundle.stat().st_size}, Update)
    except OSError as error:
        raise ConfigError(f"{bundle}: {error.strerror}") from error
    except (ReleaseRefused, msgspec.MsgspecError) as error:
        raise ConfigError(f"{bundle}: {error}; it takes a release of scripts/package, and an https:// URL") from error


def run(wishes: argparse.Namespace) -> int:
    """Order and print; returns the exit code. Raises ConfigError, SigningKeyFault and OpsFault."""
    own = settings.load(wishes.config)
    args = msgspec.to_builtins(update_of(wishes.bundle, wishes.url))
    return give(own, wishes.devices, "update", args, wishes.wait, wishes.json)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="taimat ward update")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--wait", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("url")
    parser.add_argument("devices", nargs="+")
    return ended("update", lambda: run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
