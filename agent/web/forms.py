"""What a form of ours sent, and where it wants to go on."""
import re
from urllib.parse import parse_qs

from starlette.requests import Request

FORM_B_MAX = 4096
OWN_PATH = re.compile(r"/(?!/)[\w./-]*", re.ASCII)     # never another site's


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields, the first of each name; None when it is longer than any form of ours."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_B_MAX:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def own_path(wanted: str) -> str:
    """`wanted` if it is an address of ours, else the home page's."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"
