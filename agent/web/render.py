"""The household's pages out of their templates: which recorder it is, who looks, and the way to the other pages."""
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse

from agent.config.settings import Settings
from agent.look.templates import PageTemplates
from agent.look.words import LANGUAGES
from agent.web import navigation, words

HERE = Path(__file__).parent


class Renderer(PageTemplates):
    """Makes answers from templates, in the browser's language."""

    def __init__(self, settings: Settings) -> None:
        labels = {camera.name: camera.label for camera in settings.camera}
        super().__init__(HERE, {each: words.load(each, labels) for each in LANGUAGES}, settings.device.language)
        self._place = settings.device.title or settings.device.site     # stands beside the name
        self.environment.filters["runs"] = _runs

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             bare: bool = False, **values: object) -> HTMLResponse:
        """The page that `template` makes of `values`; `bare` for strangers: it tells nothing of this recorder."""
        is_owner = getattr(request.state, "is_owner", False)        # agent/web/access.py
        return self.answer(request, template, status, headers, bare=bare, place=self._place, is_owner=is_owner,
                           places=[each for each in navigation.PLACES if is_owner or not each.for_owners], **values)

    def announce(self, request: Request, there: str) -> HTMLResponse:
        """What a browser is going to warn of before it is `there`; for strangers."""
        return self.page(request, "announce.html", bare=True, there=there)


def _runs(items: Iterable[object], *names: str) -> Iterator[tuple[object, list[object]]]:
    """Groups of neighbours with the same attributes `names`, each as (value or values, items), in order."""
    return ((value, list(run)) for value, run in itertools.groupby(items, operator.attrgetter(*names)))
