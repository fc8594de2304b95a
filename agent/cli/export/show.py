"""What is told of an export, to people and to programs."""
import msgspec

from agent.cli.terminal import console, json_line, length, size
from agent.core.evidence.ledger import fingerprint
from agent.store.export.errors import spell
from agent.store.export.package import Made

UNSIGNED = "nobody signed this export: it says so itself, and a check will"


def made(package: Made, as_json: bool) -> None:
    """Tell of a package."""
    if as_json:
        json_line(_plain(package))
    else:
        _show(package)


def _plain(package: Made) -> dict[str, object]:
    manifest = package.manifest
    return {"package": str(package.path), "signed": manifest.signed, "device": manifest.dev, "key": _key(package),
            "n": manifest.last.n, "head": manifest.last.hash, "claim": msgspec.to_builtins(manifest.claim)}


def _key(package: Made) -> str | None:
    key = package.manifest.key
    return fingerprint(bytes.fromhex(key)) if key else None


def _show(package: Made) -> None:
    out, claim = console(), package.manifest.claim
    mark = "" if claim.sure else "~"
    out.print(f"[green]wrote[/green]   {package.path}", soft_wrap=True)
    for film in claim.films:
        out.print(f"film    {film.file}: {mark}{spell(film.stretches[0].begin_ms)} to "
                  f"{spell(film.stretches[-1].end_ms)}, {length(film.dur_ms)}, {size(film.bytes)}", soft_wrap=True)
    for gap in claim.gaps:
        why = gap.why or "nothing was recorded"
        out.print(f"[yellow]missing[/yellow] {mark}{spell(gap.begin_ms)} to {spell(gap.end_ms)}: {why}", soft_wrap=True)
    if claim.wish.recipients:
        out.print(f"sealed  for {len(claim.wish.recipients)}: nobody else can open it, nor can this recorder",
                  soft_wrap=True)
    if package.manifest.signed:
        out.print(f"signed  row {package.manifest.last.n} of {package.manifest.dev}, key {_key(package)}",
                  soft_wrap=True)
    else:
        out.print(f"[yellow]unsigned[/yellow] {UNSIGNED}", soft_wrap=True)
    if not claim.sure:
        out.print("[dim]~ the clock was not sure of this time[/dim]")
