"""`taimat ward ...` as it is typed, in the test's own process."""
import typer

from agent.ward.cli.main import app

COMMAND = typer.main.get_command(app)


def typed(*words: object) -> int:
    """Run it to its end; returns the exit code."""
    try:
        COMMAND([str(word) for word in words], prog_name="taimat ward")
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("it has not ended")
