"""/cameras/NAME/picture: masks and zones drawn on the live picture, the detector's settings, a rehearsal of both."""
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.config.derived import digest
from agent.config.settings import Camera, Settings
from agent.core.vision.zones.hint import ZoneHint, corners, zone_hint
from agent.host.clock import Clock
from agent.look.forms import read_form
from agent.store import events, pause
from agent.store.folders import Folders
from agent.web import picture_form, present_camera
from agent.web.access import COOKIE
from agent.web.busy import BusyAreas
from agent.web.health import HealthWatcher
from agent.web.outcome import after, problem_text
from agent.web.picture_form import PictureForm
from agent.web.present_picture import hint_sentence, picture_view, reasons, rehearsal_view, size_of
from agent.web.rehearsal import Rehearsals
from agent.web.render import Renderer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import CardTrouble, StorePool

FORM_B_MAX = 65_536
NOT_KEPT = "private, no-store"
DAY_MS = 86_400_000


class PicturePage:
    """The handlers."""

    def __init__(self, settings: Settings, pool: StorePool, folders: Folders, health: HealthWatcher,
                 renderer: Renderer, clock: Clock, desk: SettingsDesk, busy: BusyAreas,
                 rehearsals: Rehearsals) -> None:
        self._cameras = {camera.name: camera for camera in settings.camera}
        self._pool, self._folders = pool, folders
        self._health, self._renderer, self._clock = health, renderer, clock
        self._desk, self._busy, self._rehearsals = desk, busy, rehearsals

    async def show(self, request: Request) -> Response:
        """GET; with ?draft, what was drawn for a rehearsal instead of what is saved; with ?hint, beside that the area
        that could be left out.
        """
        camera = self._cameras.get(request.path_params["name"])
        if camera is None:
            return self._renderer.page(request, "message.html", 404, key="error.missing")
        drawn = self._rehearsals.form_of(camera.name) if "draft" in request.query_params else None
        hint, saved = await self._hint(camera), picture_form.form_of(camera)
        if hint and "hint" in request.query_params and len(saved.rows) < picture_form.ROWS_MAX:
            drawn, hint = picture_form.with_ignored(saved, corners(hint.area)), None
        return await self._page(request, camera, drawn or saved, is_draft=drawn is not None, hint=hint)

    async def _hint(self, camera: Camera) -> ZoneHint | None:
        """The place that the last day's events were about for nothing, by their words."""
        since_ms = self._clock.now().wall_ms - DAY_MS
        try:
            return zone_hint(await self._pool.ask(events.named, camera.name, digest(camera), since_ms))
        except CardTrouble:
            return None

    async def change(self, request: Request) -> Response:
        """POST with the whole form and `do`: "save", "try"; without it "stop" (the rehearsal) and "discard"."""
        camera, fields = self._cameras.get(request.path_params["name"]), await read_form(request, FORM_B_MAX)
        if camera is None or fields is None:
            return PlainTextResponse("No such camera, or too long\n", 400)
        here = f"/cameras/{camera.name}/picture"
        match fields.get("do"):
            case "save" | "try" as what:
                return await self._obey(request, camera, picture_form.read(fields, camera), here, what)
            case "stop":
                self._rehearsals.stop()
                return RedirectResponse(f"{here}?draft#areas", 303)
            case "discard":
                self._rehearsals.stop()
                self._rehearsals.forget()
                return RedirectResponse(here, 303)
        return PlainTextResponse("No such change\n", 400)

    async def _obey(self, request: Request, camera: Camera, form: PictureForm, here: str, what: str) -> Response:
        drafted = picture_form.draft(form, camera)
        if drafted.problems:
            return await self._page(request, camera, form, drafted.problems, status=400, is_draft=True)
        if what == "try":
            if not self._rehearsals.start(camera, drafted.camera, form):
                return await self._page(request, camera, form, status=409, is_draft=True, refusal="rehearsal.busy")
            return RedirectResponse(f"{here}?draft#rehearsal", 303)
        changed = picture_form.change(camera, drafted.camera)
        if changed is None:
            return RedirectResponse(here, 303)
        return after(await self._desk.change(request.cookies.get(COOKIE, ""), [changed]), here, here)

    async def rehearsal_picture(self, request: Request) -> Response:
        """GET /cameras/NAME/rehearsal/N.jpg: the picture of an event that only one of two settings finds."""
        jpeg = self._rehearsals.pictures.get(request.path_params["n"])
        if jpeg is None or self._rehearsals.camera != request.path_params["name"]:
            return PlainTextResponse("No such picture\n", 404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": NOT_KEPT})

    async def _page(self, request: Request, camera: Camera, form: PictureForm,
                    problems: Mapping[str, str] | None = None, *, status: int = 200, is_draft: bool = False,
                    refusal: str = "", hint: ZoneHint | None = None) -> Response:
        said, report, now = self._renderer.words(request), await self._health.report(), self._clock.now()
        told, detail = problem_text(request, said, self._desk)
        try:
            pauses = await self._pool.ask(lambda db: pause.load(self._folders))
        except CardTrouble:
            pauses = None
        paused = present_camera.paused_of([camera] if camera.enabled else [], report, pauses, now)
        looks = self._busy.has(camera.name) and paused[camera.name] is None
        (tile,) = present_camera.tiles([camera], report, now, said, paused)
        rehearsals = self._rehearsals if self._rehearsals.camera == camera.name else None
        drafted, answer = picture_form.draft(form, camera).camera, rehearsals.answer if rehearsals else None
        return self._renderer.page(
            request, "picture.html", status, tile=tile, camera=camera,
            refusal=said(refusal) if refusal else told, detail=detail,
            view=picture_view(form, camera, problems or {}, size_of(camera.name, report), said),
            is_draft=is_draft, rehearsals=rehearsals, encoded=picture_form.is_encoded(camera),
            has_sensor=picture_form.has_sensor(camera), rows_max=picture_form.ROWS_MAX,
            rehearsal=rehearsal_view(answer, drafted, now.wall_ms, said) if answer else None,
            busy=present_camera.busy_view(await self._busy.of(camera.name), said) if looks else None,
            hint=hint_sentence(hint, said) if hint else "", reasons=reasons(said),
            busy_open="busy" in request.query_params,
            masks=present_camera.mask_view(camera, report),
            can_change=await self._desk.can_change(request.cookies.get(COOKIE, "")))
