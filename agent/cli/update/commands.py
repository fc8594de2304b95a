"""The commands of `taimat update`: a part of the table in agent/__main__.py, and like it without logic."""
import typer

from agent.cli import options as opt

update_app = typer.Typer(no_args_is_help=True, help="Newer versions of Taimat: you decide, and root installs them.")


@update_app.command("show")
def update_show(json: opt.Json = False, config: opt.Config = None) -> None:
    """Show which version runs, which one the ward wants here, and what became of others."""
    from agent.cli.update import show as tool
    tool.show(config, json)


@update_app.command("approve")
def update_approve(config: opt.Config = None) -> None:
    """Let the version be installed that the ward has ordered and that waits for you."""
    from agent.cli.update import show as tool
    tool.decide(config, approve=True)


@update_app.command("refuse")
def update_refuse(config: opt.Config = None) -> None:
    """Keep the version that runs; the ward may order another one."""
    from agent.cli.update import show as tool
    tool.decide(config, approve=False)


@update_app.command("install")
def update_install(bundle: opt.Bundle, config: opt.Config = None) -> None:
    """Install a release from a file, as root: checked, tried for minutes, and taken back if it is not well."""
    from agent.cli.update import main as tool
    raise typer.Exit(tool.tell(lambda root: tool.install(root, bundle), config))


@update_app.command("rollback")
def update_rollback(config: opt.Config = None) -> None:
    """Have the version before this one run again, as root."""
    from agent.cli.update import main as tool
    raise typer.Exit(tool.tell(tool.rollback, config))


@update_app.command("work", hidden=True)
def update_work(config: opt.Config = None) -> None:
    """What systemd starts as root when the link has a release, or when an update was cut off."""
    from agent.cli.update import main as tool
    raise typer.Exit(tool.tell(tool.work, config))


@update_app.command("boot", hidden=True)
def update_boot(config: opt.Config = None) -> None:
    """What systemd starts as root before any role."""
    from agent.cli.update import main as tool
    raise typer.Exit(tool.tell(tool.boot, config))


@update_app.command("ready", hidden=True)
def update_ready(version: str, config: opt.Config = None) -> None:
    """What the version before this one asks: whether this one can work here."""
    from agent.cli.place import config_path
    from agent.cli.update import ready as tool
    raise typer.Exit(tool.ready(version, config_path(config)))
