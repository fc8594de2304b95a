"""`taimat ward init` and its kin: who belongs to the ward, and what keeps that so.

They are run by root on the ward's machine, now and then; the others are services, or belong to the desk.
"""
import typer

from agent.cli.options import Force
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()


@app.command("init")
def init(force: Force = False, config: Config = WARD_CONFIG) -> None:
    """Write a first configuration of the ward's ingest, with every key explained."""
    become("init", config, [("--force", force)])
