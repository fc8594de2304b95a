"""Templates and static files of a page, read once at the start, so that no request waits for the card.

Shared files are beside this module, a page's own in its room. A template is compiled at its first use: all at once took
0.6 s of a start on x86, and 1 MB.
"""
import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from agent.look.words import LANGUAGES, PageWords

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "language"
YEAR_S = 31_536_000
FOREVER = f"public, max-age={YEAR_S}, immutable"
JAVASCRIPT = "text/javascript"          # the answer of mimetypes depends on the machine


@dataclass(frozen=True, slots=True)
class Static:
    data: bytes
    media_type: str
    tag: str


class PageTemplates:
    """Makes answers from templates, in the browser's language."""

    def __init__(self, own: Path, words: Mapping[str, PageWords], language: str) -> None:
        """`own` or its rooms have the page's templates/ and static/; `language` is for browsers that chose none."""
        self._language, self._words = language, words
        self._static = {path.name: _static(path) for path in _files(own, "static")}
        self._texts = {path.name: path.read_text(encoding="utf-8") for path in _files(own, "templates")}

    @cached_property
    def environment(self) -> "jinja2.Environment":
        """The templates. The library is only loaded for a page (2 MB)."""
        import jinja2
        made = jinja2.Environment(
            loader=jinja2.DictLoader(self._texts), cache_size=len(self._texts), autoescape=True, auto_reload=False,
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        made.globals["static"] = self.address
        return made

    def words(self, request: Request) -> PageWords:
        """Returns the browser's language: just chosen (?lang=), chosen earlier (a cookie), or the page's."""
        for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if wanted in self._words:
                return self._words[wanted]
        return self._words[self._language]

    def answer(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
               **values: object) -> HTMLResponse:
        """Returns the page made from `template`, `values`, the words, and what templates/frame.html needs."""
        words = self.words(request)
        other = next(language for language in LANGUAGES if language != words.language)
        html = self.environment.get_template(template).render(
            t=words, path=request.url.path, other=other,
            other_query=request.url.include_query_params(lang=other).query, **values)
        answer = HTMLResponse(html, status, headers)
        if request.query_params.get("lang") in self._words:
            answer.set_cookie(LANGUAGE_COOKIE, words.language, max_age=YEAR_S, samesite="lax", httponly=True)
        return answer

    async def static(self, request: Request) -> Response:
        """Answers /static/NAME; the address has the content's tag, so a browser keeps it for good."""
        name = request.path_params["name"]
        return self.file(name, FOREVER) if name in self._static else PlainTextResponse("No such file\n", 404)

    def file(self, name: str, caching: str) -> Response:
        """Returns a file of static/. Raises KeyError."""
        found = self._static[name]
        return Response(found.data, headers={"content-type": found.media_type, "cache-control": caching})

    def address(self, name: str) -> str:
        """Returns the address of a file of static/. Raises KeyError."""
        return f"/static/{name}?{self._static[name].tag}"


def _files(own: Path, folder: str) -> Iterator[Path]:
    for place in (HERE, own):
        yield from sorted(place.glob(f"**/{folder}/*"))


def _static(path: Path) -> Static:
    data = path.read_bytes()
    kind = JAVASCRIPT if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = "; charset=utf-8" if kind.startswith("text/") else ""
    return Static(data, kind + text, hashlib.sha256(data).hexdigest()[:12])


@dataclass(frozen=True, slots=True)
class Place:
    """One entry."""

    said: str                       # the key of its name in the words
    address: str
    icon: str
    for_owners: bool = False        # viewers can do nothing there
    below: tuple[str, ...] = ()     # how the addresses of its other pages begin

    def holds(self, path: str) -> bool:
        return path == self.address or path.startswith(self.below)
