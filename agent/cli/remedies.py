"""What to do about a command line that was not understood. Typer says what is wrong; this adds what is right."""
import re
from difflib import get_close_matches
from typing import Any

WORD = re.compile(r"No such command '([^']*)'")
# Words that people try, and that are no commands; without these Typer proposes what is spelled alike.
OTHER_WORDS = {
    "help": "taimat --help lists the commands",
    "start": "on a device: sudo systemctl start taimat.target; in a terminal: taimat run",
    "stop": "on a device: sudo systemctl stop taimat.target; what runs in a terminal ends by Ctrl-C",
    "delete": "recordings are erased by: taimat clips erase",
    "set": "settings are in a file: edit that, then taimat config check"}


def add(error: Any) -> None:
    """Adds the remedy to an error of parsing. The class of such errors is another one in each version of Typer."""
    if getattr(error, "ctx", None) is None:
        if "requires an argument" in error.message:
            error.message = f"{error.message.rstrip('.')}; write its value behind it, which --help explains"
        return
    command, path, said = error.ctx.command, error.ctx.command_path, error.message or ""
    option = getattr(error, "option_name", None)
    named = next((each for each in command.params if option in each.opts), getattr(error, "param", None))
    if word := WORD.match(said):
        shown = [name for name, each in command.commands.items() if not each.hidden]
        alike = get_close_matches(word[1], shown, 1)
        said = f"No such command '{word[1]}'"           # without what Typer proposes, hidden commands among it
        remedy = OTHER_WORDS.get(word[1]) or (f"did you mean {alike[0]}?" if alike else f"{path} --help lists them")
    elif named is not None:
        remedy = described(named)
    elif option is not None:
        below = next(iter(getattr(command, "commands", ())), None)
        remedy = f"options stand behind a command, as in: {path} {below} {option}" if below else (
            f"{path} --help lists its options")
    elif "extra argument" in said:
        names = {name for each in command.params for name in each.opts}
        remedy = ("a configuration is named by --config FILE" if ".toml" in said and "--config" in names else
                  "a camera is named by --camera NAME" if "--camera" in names else f"see {path} --help")
    else:
        return                      # our own words have their remedy
    error.message = f"{said.rstrip('.')}; {remedy}" if said else remedy


def described(parameter: Any) -> str:
    """An argument or option with its help: "--last N: Show the newest N."."""
    words = [parameter.opts[0]] if parameter.param_type_name == "option" else []
    return f"{' '.join([*words, *([parameter.metavar] if parameter.metavar else [])])}: {parameter.help}"
