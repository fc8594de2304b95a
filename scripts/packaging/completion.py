"""The command's completion for bash, as words that are known beforehand: nothing is started at a Tab.

scripts/reference writes it anew, and the package brings it.
"""
import re
from collections.abc import Iterator
from typing import Any

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
    local word path="" words="" files="" at current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    _taimat_words ""
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        [[ $word != -* && " $words " == *" $word "* ]] || continue
        path=${path:+$path }$word
        _taimat_words "$path"
    done
    COMPREPLY=()
    if [[ " $files " == *" $before "* ]] || [[ $current != -* && " $files " == *" ARGUMENT "* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    elif [[ $words != --* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${words%% --*}" -- "$current")
    fi
}
complete -F _taimat taimat
"""


def document(root: Any) -> str:
    """The file for the command `root` with all commands below it."""
    return HEAD + "".join(f"        {line}\n" for line in _cases(root, "")) + TAIL


def _cases(command: Any, path: str) -> Iterator[str]:
    """A line for each command: the words that may follow it, and after which of them a file does."""
    below = {name: each.load() if isinstance(each, LazyCommand) else each
             for name, each in sorted(getattr(command, "commands", {}).items()) if not each.hidden}
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    words = [*below, *sorted(name for each in options for name in each.opts if name.startswith("--")), "--help"]
    files = [name for each in options if _takes_file(each) for name in each.opts]
    files += ["ARGUMENT" for each in command.params if each.param_type_name == "argument" and _takes_file(each)][:1]
    yield f'"{path}") words="{" ".join(dict.fromkeys(words))}" files="{" ".join(files)}" ;;'
    for name, each in below.items():
        yield from _cases(each, f"{path} {name}".strip())


def _takes_file(parameter: Any) -> bool:
    return bool(re.search("FILE|FOLDER|DIR|SOURCE", parameter.metavar or ""))
