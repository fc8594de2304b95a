"""Forms: the fields that a browser has sent, and the page to go on with."""
import re
from urllib.parse import parse_qs

from starlette.requests import Request

FORM_B_MAX = 4096
OWN_PATH = re.compile(r"/(?!/)[\w./-]*", re.ASCII)     # never another site's


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields, the first of each name; None for more than FORM_B_MAX, which no form of ours has."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_B_MAX:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def own_path(wanted: str) -> str:
    """`wanted` if it is an address on this page, else "/"."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"
