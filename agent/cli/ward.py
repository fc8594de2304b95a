"""How the ward's commands begin: they become a part of the ward's end, with its own configuration and libraries."""
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

NEEDS = ("sqlalchemy", "prometheus_client")
EXIT_INCOMPLETE = 69            # sysexits.h EX_UNAVAILABLE


def become(module: str, config: Path | None, flags: Iterable[tuple[str, bool]] = (),
           words: Iterable[str] = ()) -> NoReturn:
    """Turn this process into `agent.ward.{module}`, with the flags that are set, and these words.

    Ends it where libraries are missing.
    """
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        print(f"a ward's end also needs {' and '.join(missing)}: apt install python3-sqlalchemy "
              "python3-prometheus-client, or: pip install 'taimat[ward]'", file=sys.stderr)
        sys.exit(EXIT_INCOMPLETE)
    own = ["--config", str(config.absolute())] if config else []
    given = [*own, *(flag for flag, is_set in flags if is_set), *words]
    os.execv(sys.executable, [sys.executable, "-m", f"agent.ward.{module}", *given])
