"""Finds and masks passwords in texts for people, in all the forms that cameras use in their addresses. Pure."""
import re

MASK = "***"
KEY = r"[\w%.-]{0,40}(?:pas|pass|passwd|password|passwort|pwd|psw|pw)="  # cameras' names for it in a path or query

# An address, up to its closing quote if it is quoted, otherwise up to the next one or the line's end: a password may
# contain any character.
_ADDRESS = re.compile(r"""(?x) (?<![^\s"'(=,<\[]) (?:(?<=(["']))|) [a-z][a-z0-9+.-]*://
                      (?(1) (?:\\.|(?!\1)[^\\\n])* | (?:(?![\s"'(=,<\[](?:rtsp|http|mqtt)s?://).)* )""", re.IGNORECASE)
_HOST = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f]*(?::[0-9a-f.%]*){2,}\]|localhost)(?![\w.-])"
_WELL_WRITTEN = re.compile(rf"([^\s:/?\#@]*):[^\s/?\#@]*@(?={_HOST}(?::\d{{1,5}})?(?:/|\W?\s|\W*$))", re.IGNORECASE)
_NO_LOGIN = re.compile(rf"(?:{_HOST}|[\w-]+(?:\.[\w-]+)+)(?::\d{{1,5}})?(?![\w@.-]|:\S)", re.IGNORECASE)
_KEY_IN_ADDRESS = re.compile(rf"(?i)({KEY})(?:(?!: )[^&\n])*")
_KEY_ELSEWHERE = re.compile(rf"""(?i)({KEY})(?!\*)[^\s&"']*""")


def redact(text: str) -> str:
    """Returns the text without the password of any address in it. In a malformed address everything up to the last @
    may be the password and is masked."""
    return _KEY_ELSEWHERE.sub(rf"\1{MASK}", _ADDRESS.sub(lambda found: _masked(found[0]), text))


def _masked(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    return scheme + mark + _KEY_IN_ADDRESS.sub(rf"\1{MASK}", _masked_login(rest))


def _masked_login(rest: str) -> str:
    if found := _WELL_WRITTEN.match(rest):
        return f"{found[1]}:{MASK}{rest[found.end() - 1:]}"
    colon, at = rest.find(":"), rest.rfind("@")
    user = rest[:colon]
    if not 0 <= colon < at or _NO_LOGIN.match(rest) or re.search(r"[/\s]", user) and rest[colon + 1].isspace():
        return rest
    return f"{user}:{MASK}{rest[at:]}"
