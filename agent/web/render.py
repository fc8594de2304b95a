"""Templates and static files, read once at the start, so that the page itself never waits for the card.

A template is compiled when it is first asked for: all of them at once took 0.6 s of a start on x86, and 1 MB.
"""
import hashlib
import itertools
import mimetypes
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from agent.config.settings import Settings
from agent.web import navigation, words
from agent.web.words import LANGUAGES, PageWords

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "language"
YEAR_S = 31_536_000
FOREVER = f"public, max-age={YEAR_S}, immutable"
JAVASCRIPT = "text/javascript"          # the answer of mimetypes depends on the machine


@dataclass(frozen=True, slots=True)
class Static:
    """One file of static/."""

    data: bytes
    media_type: str
    tag: str


class Renderer:
    """Makes answers from templates, in the browser's language."""

    def __init__(self, settings: Settings) -> None:
        self._language = settings.device.language
        self._place = settings.device.title or settings.device.site     # stands beside the name
        labels = {camera.name: camera.label for camera in settings.camera}
        self._words = {each: words.load(each, labels) for each in LANGUAGES}
        self._static = {path.name: _static(path) for path in sorted((HERE / "static").iterdir())}
        texts = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "templates").iterdir()}
        self._templates = jinja2.Environment(
            loader=jinja2.DictLoader(texts), cache_size=len(texts), autoescape=True, auto_reload=False,
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        self._templates.globals["static"] = self.address
        self._templates.filters["runs"] = _runs

    def words(self, request: Request) -> PageWords:
        """The browser's language: as just chosen (?lang=), as chosen earlier (a cookie), or the device's."""
        for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if wanted in self._words:
                return self._words[wanted]
        return self._words[self._language]

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             bare: bool = False, **values: object) -> HTMLResponse:
        """The page that `template` makes of `values`; `bare` for strangers: it tells nothing of this recorder."""
        said = self.words(request)
        is_owner = getattr(request.state, "is_owner", False)        # agent/web/access.py
        other = next(each for each in LANGUAGES if each != said.language)
        html = self._templates.get_template(template).render(
            t=said, bare=bare, place=self._place, path=request.url.path, is_owner=is_owner,
            places=[each for each in navigation.PLACES if is_owner or not each.for_owners], other=other,
            other_query=request.url.include_query_params(lang=other).query, **values)
        answer = HTMLResponse(html, status, headers)
        if request.query_params.get("lang") in self._words:
            answer.set_cookie(LANGUAGE_COOKIE, said.language, max_age=YEAR_S, samesite="lax", httponly=True)
        return answer

    def announce(self, request: Request, there: str) -> HTMLResponse:
        """What a browser is going to warn of before it is `there`; for strangers."""
        return self.page(request, "announce.html", bare=True, there=there)

    async def static(self, request: Request) -> Response:
        """/static/NAME; the address carries the content's tag, so a browser keeps it for good."""
        name = request.path_params["name"]
        return self.file(name, FOREVER) if name in self._static else PlainTextResponse("No such file\n", 404)

    def file(self, name: str, caching: str) -> Response:
        """A file of static/. Raises KeyError."""
        found = self._static[name]
        return Response(found.data, headers={"content-type": found.media_type, "cache-control": caching})

    def address(self, name: str) -> str:
        """Where a browser finds a file of static/. Raises KeyError."""
        return f"/static/{name}?{self._static[name].tag}"


def _runs(items: Iterable[object], *names: str) -> Iterator[tuple[object, list[object]]]:
    """Groups of neighbours with the same attributes `names`, each as (value or values, items), in order."""
    return ((value, list(run)) for value, run in itertools.groupby(items, operator.attrgetter(*names)))


def _static(path: Path) -> Static:
    data = path.read_bytes()
    kind = JAVASCRIPT if path.suffix == ".js" else mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = "; charset=utf-8" if kind.startswith("text/") else ""
    return Static(data, kind + text, hashlib.sha256(data).hexdigest()[:12])
