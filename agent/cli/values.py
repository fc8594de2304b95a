"""Values that the shell offers at a Tab: cameras, clips, requests, keys. What can't be read offers nothing."""
import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import typer

SHOWN_N = 40                # the newest ones
PLAIN = re.compile(r"[\w.-]{1,80}\Z", re.ASCII)     # zsh evaluates what it gets, and a card may hold a stranger's rows


def _offers(read: Callable[[Path | None], Iterable[object]]) -> Callable[[typer.Context], list[str]]:
    """Makes the completion of an option. `read` gets the configuration's path, and may raise anything."""
    def offer(ctx: typer.Context) -> list[str]:
        given = next((each.params["config"] for each in _contexts(ctx) if each.params.get("config")), None)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(Exception):
            found = map(str, read(Path(given) if given else None))
            return [name for name in islice(found, SHOWN_N) if PLAIN.match(name)]
        return []
    return offer


def _contexts(ctx: Any) -> Iterator[Any]:
    while ctx is not None:
        yield ctx
        ctx = ctx.parent


@_offers
def cameras(config: Path | None) -> Iterable[object]:
    from agent.cli.place import load_here
    return [camera.name for camera in load_here(config).camera]


@_offers
def clips(config: Path | None) -> Iterable[object]:
    from agent.cli.place import open_store
    from agent.store.clips import newest
    return [clip.name for clip in islice(newest(open_store(config)[2], None), SHOWN_N)]


@_offers
def requests(config: Path | None) -> Iterable[object]:
    from agent.cli.place import open_store
    from agent.store import requests as rows
    return [request.n for request in rows.newest(open_store(config)[2], SHOWN_N)]


def ward_keys() -> list[str]:
    """What a ward may set on devices, for KEY=VALUE."""
    from agent.config.derived import ACTS_ON
    return [f"{key}=" for key in ACTS_ON]
