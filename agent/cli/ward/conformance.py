"""`taimat ward conformance`: hold a device or the ward's ingest against the contract.

For whoever writes another device or another ingest.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Json
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer(no_args_is_help=True, help="Hold a program against the contract, rule by rule.")

TestedDevice = Annotated[str, typer.Argument(metavar="DEVICE", show_default=False, help="Its id.")]
LookMinutes = Annotated[float, typer.Option("--minutes", metavar="N", min=0.5, max=1440, help="How long to look.")]
AsIngest = Annotated[bool, typer.Option(
    "--as-ingest", help="Also stand in for the ward's ingest, which must not run: its events are kept by nobody.")]
TestCert = Annotated[Path | None, typer.Option(
    "--cert", metavar="FILE", show_default=False, help="The certificate of a device that is there for tests.")]
TestKey = Annotated[Path | None, typer.Option(
    "--key", metavar="FILE", show_default=False, help="Its key.")]


@app.command("device")
def device(dev: TestedDevice, minutes: LookMinutes = 2, as_ingest: AsIngest = False, json: Json = False,
           config: Config = WARD_CONFIG) -> None:
    """Look at a running device as ops, try it with harmless commands, and say which rules it keeps."""
    become("conformance", config, [("--json", json)], [
        "device", dev, f"--minutes={minutes}", *(["--as-ingest"] if as_ingest else [])])


@app.command("subscriber")
def subscriber(cert: TestCert = None, key: TestKey = None, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Play a device before the ward's ingest, or whatever takes its place, for 3 minutes, and say which rules it keeps.
    """
    become("conformance", config, [("--json", json)], [
        "subscriber", *([f"--cert={cert.absolute()}"] if cert else []), *([f"--key={key.absolute()}"] if key else [])])
