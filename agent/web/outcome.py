"""/saving: where a browser waits until a change of settings is in force, for the page itself may restart with it."""
from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.look.forms import own_path
from agent.look.words import PageWords
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk


def after(ids: Sequence[str], goal: str, back: str) -> Response:
    """Wait for these changes; go on to `goal`, or `back` with the problem."""
    return RedirectResponse(f"/saving?{urlencode({'of': '.'.join(ids), 'next': goal, 'back': back})}", 303)


def problem_text(request: Request, said: PageWords, desk: SettingsDesk, problem: str = "") -> tuple[str, str]:
    """What went wrong, in words for the household and for a technician; by `problem`, else as the address tells."""
    asked = request.query_params
    key = f"problem.{problem or asked.get('problem', '')}"
    if key not in said.texts:
        return "", ""
    return said(key), "" if problem else desk.outcome(asked.get("of", "").split(".")).detail


class OutcomePage:
    """The waiting page, and what its script asks; without scripts the page asks again by itself."""

    def __init__(self, renderer: Renderer, desk: SettingsDesk) -> None:
        self._renderer, self._desk = renderer, desk

    async def show(self, request: Request) -> Response:
        """GET /saving?of=IDS&next=PATH&back=PATH."""
        goal = self._goal(request)
        return RedirectResponse(goal, 303) if goal else self._renderer.page(request, "saving.html")

    async def tell(self, request: Request) -> Response:
        """GET /saving.json, with the same query: where to go on, "" for not yet."""
        return JSONResponse({"to": self._goal(request)})

    def _goal(self, request: Request) -> str:
        asked = request.query_params
        ids = asked.get("of", "")
        outcome = self._desk.outcome(ids.split("."))
        if outcome.state == "waiting":
            return ""
        if outcome.state == "done":
            return own_path(asked.get("next", "/"))
        return f"{own_path(asked.get('back', '/'))}?{urlencode({'problem': outcome.problem, 'of': ids})}"
