"""The command's completions for bash, zsh and fish; scripts/reference writes them anew, and the packages bring them.

Typer answers what may follow. On a recorder, where that takes a second, bash has the words that are known beforehand,
and asks Typer for values only: cameras, clips, kinds.
"""
import re
from collections.abc import Callable, Iterator
from typing import Any

from typer.completion import get_completion_script

from agent.__main__ import LazyCommand

HEAD = """\
# bash completion for taimat. Made by scripts/reference: change the code and run it again.
_taimat_words() {
    case "$1" in
"""
# The commands before the cursor decide what may follow; a word that is none of them is an argument.
TAIL = """\
    esac
}
_taimat() {
    local word path="" words="" files="" values="" at
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    _taimat_words ""
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        [[ $word != -* && " $words " == *" $word "* ]] || continue
        path=${path:+$path }$word
        _taimat_words "$path"
    done
    COMPREPLY=()
    if [[ " $files " == *" $before "* ]] ||
        [[ $current != -* && " $values " != *" $before "* && " $files " == *" ARGUMENT "* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ " $values " == *" $before "* ]] || [[ $current != -* && " $values " == *" ARGUMENT "* ]]; then
        mapfile -t COMPREPLY < <(env _TAIMAT_COMPLETE=complete_bash COMP_WORDS="${COMP_WORDS[*]}" \\
                                 COMP_CWORD="$COMP_CWORD" "$1" 2> /dev/null)
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $words != --* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${words%% --*}" -- "$current")
    fi
}
complete -F _taimat taimat
"""


def typers(shell: str) -> str:
    """Typer's own file for a shell. zsh loads its one at the first Tab, which already wants an answer."""
    text = get_completion_script(prog_name="taimat", complete_var="_TAIMAT_COMPLETE", shell=shell)
    return text + ('\n[ "$funcstack[1]" != _taimat ] || _taimat_completion\n' if shell == "zsh" else "\n")


def document(root: Any) -> str:
    """The file for bash on a recorder: for the command `root` with all commands below it."""
    return HEAD + "".join(f"        {line}\n" for line in _cases(root, "")) + TAIL


def _cases(command: Any, path: str) -> Iterator[str]:
    """A line for each command: the words that may follow it, and after which of them a file or a value does."""
    below = {name: each.load() if isinstance(each, LazyCommand) else each
             for name, each in sorted(getattr(command, "commands", {}).items()) if not each.hidden}
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    words = [*below, *sorted(name for each in options for name in each.opts if name.startswith("--")), "--help"]
    files, values = (" ".join(_after(command, options, takes)) for takes in (_takes_file, _takes_value))
    yield f'"{path}") words="{" ".join(dict.fromkeys(words))}" files="{files}" values="{values}" ;;'
    for name, each in below.items():
        yield from _cases(each, f"{path} {name}".strip())


def _after(command: Any, options: list[Any], takes: Callable[[Any], bool]) -> list[str]:
    arguments = ["ARGUMENT" for each in command.params if each.param_type_name == "argument" and takes(each)]
    return [name for each in options if takes(each) for name in each.opts] + arguments[:1]


def _takes_value(parameter: Any) -> bool:
    """Whether Typer knows values, by a function in agent/cli/values.py or beside it."""
    return parameter._custom_shell_complete is not None


def _takes_file(parameter: Any) -> bool:
    return bool(re.search("FILE|FOLDER|DIR|SOURCE", parameter.metavar or ""))
