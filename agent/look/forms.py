"""Reads forms and addresses from a browser: fields, numbers, and the next page."""
import re
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

FORM_B_MAX = 4096
DIGITS_N_MAX = 18           # SQLite can hold these, and no row's number is near
OWN_PATH = re.compile(r"/(?!/)[\w./-]*", re.ASCII)     # never another site's


async def read_form(request: Request, largest_b: int = FORM_B_MAX) -> dict[str, str] | None:
    """Returns the first field of each name; None for more than `largest_b` or an incomplete form."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > largest_b:
                return None
    except ClientDisconnect:
        return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def title_of(text: str) -> str:
    """Returns a title without spaces at its ends and without invisible characters."""
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def own_path(wanted: str) -> str:
    """Returns `wanted` if it is an address on this page, else "/"."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"


def number(text: str | None) -> int | None:
    """Returns a positive number; None if the text is not one. Raises HTTPException (404) above DIGITS_N_MAX digits."""
    if not text or not text.isascii() or not text.isdecimal():
        return None
    if len(text) > DIGITS_N_MAX:
        raise HTTPException(404)
    return int(text)
