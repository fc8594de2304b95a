"""Renders the household's pages: which recorder it is, who looks, and links to the other pages."""
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from agent.config.settings import Settings
from agent.look.templates import PageTemplates, Place
from agent.look.words import LANGUAGES
from agent.web.server import words

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parents[1]        # with static/ and i18n/; each room has its templates/
PLACES = (
    Place("nav.now", "/", "eye", below=("/live/",)),
    Place("nav.recordings", "/recordings", "film", below=("/recordings/", "/events/", "/clips/")),
    Place("nav.sharing", "/sharing", "share", below=("/sharing/", "/requests", "/handout")),
    Place("nav.health", "/health", "pulse", below=("/health/", "/notice")),
    Place("nav.settings", "/settings", "gear", for_owners=True, below=("/settings/", "/cameras", "/browsers", "/pair")),
)


class Renderer(PageTemplates):
    def __init__(self, settings: Settings) -> None:
        labels = {camera.name: camera.label for camera in settings.camera}
        super().__init__(HERE, {language: words.load(language, labels) for language in LANGUAGES},
                         settings.device.language)
        self._place = settings.device.title or settings.device.site     # stands beside the name

    @cached_property
    def environment(self) -> "Environment":
        made = super().environment
        made.filters |= {"runs": _runs, "qr": _qr}
        made.globals |= {name: _Macros(made, f"{name}.html") for name in ("controls", "parts")}
        made.globals["icon"] = lambda name: _Macros(made, "icons.html").icon(name)
        return made

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             bare: bool = False, **values: object) -> HTMLResponse:
        """Returns the page of `template` with `values`. `bare` is for strangers: it shows nothing of this recorder."""
        is_owner = getattr(request.state, "is_owner", False)        # agent/web/server/access.py
        return self.answer(request, template, status, headers, bare=bare, place=self._place, is_owner=is_owner,
                           places=[place for place in PLACES if is_owner or not place.for_owners], **values)

    def announce(self, request: Request, there: str) -> HTMLResponse:
        """Returns the page for strangers about the warning that their browser is going to show at `there`."""
        return self.page(request, "announce.html", bare=True, there=there)


class _Macros:
    """Macros that every template may use without an import, compiled at their first use."""

    def __init__(self, environment: "Environment", template: str) -> None:
        self._environment, self._template = environment, template

    def __getattr__(self, macro: str) -> Any:
        return getattr(self._environment.get_template(self._template).module, macro)


def _runs(items: Iterable[object], *names: str) -> Iterator[tuple[object, list[object]]]:
    """Yields runs of neighbours with equal attributes `names`: (value or values, items), in order."""
    return ((value, list(run)) for value, run in itertools.groupby(items, operator.attrgetter(*names)))


def _qr(text: str) -> Markup:
    """Returns the smallest code that holds `text`, as a drawing, with the best error correction for its size."""
    import segno  # only here: it is needed for a phone, and for a sheet to print

    return Markup(segno.make(text, micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))
