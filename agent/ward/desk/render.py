"""The desk's pages out of their templates: which ward it is, who is at the desk, and the way to the other pages."""
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse

from agent.look import words
from agent.look.templates import PageTemplates, Place
from agent.look.words import LANGUAGES
from agent.ward.settings import Settings

HERE = Path(__file__).parent
PLACES = (
    Place("nav.devices", "/", "camera", below=("/devices/",)),
    Place("nav.requests", "/requests", "film", below=("/requests/",)),
    Place("nav.ward", "/ward", "ward"),
)


class DeskRenderer(PageTemplates):
    """Makes answers from templates, in the browser's language."""

    def __init__(self, own: Settings) -> None:
        super().__init__(HERE, {each: words.load(each, HERE / "i18n") for each in LANGUAGES}, own.desk.language)
        self._place = own.authority.name or own.ward.ward

    def page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None,
             **values: object) -> HTMLResponse:
        """The page that `template` makes of `values`; for whoever is no officer, it tells nothing of this ward."""
        officer = getattr(request.state, "officer", None)       # agent/ward/desk/main.py
        return self.answer(request, template, status, headers, bare=officer is None, place=self._place, places=PLACES,
                           officer=officer, **values)
