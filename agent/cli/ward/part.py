"""How a command becomes the part of the ward's end that it names.

That part has a configuration, an argument parser and libraries of its own; the command has its options and their help.
"""
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

WARD_CONFIG = Path("/etc/taimat-ward/ward.toml")
NEEDS = ("sqlalchemy", "prometheus_client", "reportlab")
EXIT_INCOMPLETE = 69            # sysexits.h EX_UNAVAILABLE

Config = Annotated[Path, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_WARD_CONFIG", help="The configuration of the ward's end.")]


def become(module: str, config: Path | None, flags: Iterable[tuple[str, bool]] = (),
           words: Iterable[str] = ()) -> NoReturn:
    """Turn this process into `agent.ward.{module}`, with the flags that are set, and these words.

    Ends it with 69 where the ward's package or one of its libraries is not installed.
    """
    if lacking := _lacking():
        print(lacking, file=sys.stderr)
        sys.exit(EXIT_INCOMPLETE)
    own = ["--config", str(config.absolute())] if config else []
    given = [*own, *(flag for flag, is_set in flags if is_set), *words]
    os.execv(sys.executable, [sys.executable, "-m", f"agent.ward.{module}", *given])


def _lacking() -> str:
    if importlib.util.find_spec("agent.ward") is None:
        return ("the ward's end is a package of its own (taimat-ward), and a recorder does without it: "
                "in a checkout of this version, pip install . ./agent/ward")
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        return (f"a ward's end also needs {' and '.join(missing)}: apt install python3-sqlalchemy "
                "python3-prometheus-client python3-reportlab, or: pip install ./agent/ward")
    return ""
