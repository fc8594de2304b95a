"""How the root's key comes to hand: a passphrase, or a token's PIN, from the terminal or from a file.

It is never a word of a command: those are seen by everybody on the machine, and stay in the shell's history.
"""
import getpass
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward.authority import root, token
from agent.ward.authority.issuer import AuthorityFault


def ask(what: str, file: Path | None, *, twice: bool = False) -> str:
    """The first line of `file`, or what is typed; `twice` for a new one. Raises AuthorityFault."""
    if file:
        return _line(file)
    if not sys.stdin.isatty():
        raise AuthorityFault(f"{what}: nobody is here to type it; put it into a file that only you can read, and name "
                             "that: --passphrase-file FILE")
    typed = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("once more: ") != typed:
        raise AuthorityFault("the two are not the same; nothing was made, begin again")
    return typed


def unlock(path: Path, file: Path | None) -> ec.EllipticCurvePrivateKey:
    """The root's key, whose file holds the key itself or its token's address. Raises AuthorityFault."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityFault(f"{path}: the root's key can't be read; run this as root, and bring the key back from "
                             "where it is kept") from error
    if text.startswith(token.ADDRESS):
        return token.TokenKey(text.strip(), ask("the token's PIN", file))
    return root.unlocked(path, ask("the root's passphrase", file))


def new(address: str, file: Path | None) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A key for a new root, on the token with that address or locked by a new passphrase, and what its file holds.

    Raises AuthorityFault.
    """
    if address:
        return token.TokenKey(address, ask("the token's PIN", file)), f"{address}\n".encode()
    key = root.new_key()
    return key, root.locked(key, ask("a passphrase for the root's key, which nobody can do without", file, twice=True))


def _line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a UTF-8 text"
        raise AuthorityFault(f"{file}: {cause}; it is to hold the passphrase alone, in its first line") from error
