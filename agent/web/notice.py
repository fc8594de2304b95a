"""/notice: a sheet to print and hang up, by which visitors know who films, why, for how long, and whom to ask.

Every line is what the settings say now. Nothing of it is kept: whom to ask stands in the address alone.
"""
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Camera, Settings
from agent.core.contract.decisions import AskSharing
from agent.host.weights import words_lack
from agent.look.forms import title_of
from agent.look.words import PageWords
from agent.web import qr
from agent.web.access import COOKIE
from agent.web.browsers import Browsers
from agent.web.present_settings import days_text
from agent.web.present_ward import SharingView, sharing_view
from agent.web.render import Renderer

ASK_N_MAX = 80          # characters of a name and a telephone number


@dataclass(frozen=True, slots=True)
class NoticeView:
    """The sheet: what is told, each with what it answers, and whom to ask; "" leaves a line to write on."""

    lines: Sequence[tuple[str, str]]
    ask: str

    def text(self, words: PageWords) -> str:
        """The same as a text that a phone can read, keep and translate."""
        told = [words("notice.head"), *(f"{label}: {value}" for label, value in self.lines)]
        return "\n".join([*told, *([f"{words('notice.ask')}: {self.ask}"] if self.ask else [])])


class NoticePage:
    """The handler."""

    def __init__(self, settings: Settings, browsers: Browsers, renderer: Renderer) -> None:
        self._settings, self._browsers, self._renderer = settings, browsers, renderer

    async def show(self, request: Request) -> Response:
        """GET /notice[?ask=]: whom to ask, a name and a number."""
        said, token = self._renderer.words(request), request.cookies.get(COOKIE, "")
        sharing = (await self._browsers.ask(AskSharing(token=token))).sharing
        view = notice_view(self._settings, sharing_view(self._settings, sharing, words_lack(), said),
                           title_of(request.query_params.get("ask", ""))[:ASK_N_MAX], said)
        return self._renderer.page(request, "notice.html", view=view, qr=qr.drawn(view.text(said)), ask_n_max=ASK_N_MAX)


def notice_view(settings: Settings, sharing: SharingView, ask: str, words: PageWords) -> NoticeView:
    """What holds now."""
    cameras = [camera for camera in settings.camera if camera.enabled]
    who = settings.device.title or settings.device.site or words("notice.who_unnamed")
    return NoticeView([
        (words("notice.who"), who), (words("notice.what"), " ".join(_what(cameras, words))),
        (words("notice.why"), words("notice.why_value")),
        (words("notice.long"), words("notice.long_value", days=_days(settings, cameras, words))),
        (words("notice.gets"), " ".join(_gets(settings, sharing, words)))], ask)


def _what(cameras: Sequence[Camera], words: PageWords) -> Sequence[str]:
    if not cameras:
        return [words("notice.no_camera")]
    seen = [words.label(camera.name) for camera in cameras]
    heard = [words.label(camera.name) for camera in cameras if camera.audio]
    return [words("notice.what_value", cameras=", ".join(seen)),
            words("notice.sound", cameras=", ".join(heard)) if heard else words("notice.no_sound")]


def _days(settings: Settings, cameras: Sequence[Camera], words: PageWords) -> str:
    """The longest that anything stays by itself."""
    store = settings.store
    always = [store.keep_continuous_days for camera in cameras if camera.record != "motion"]
    return days_text(max([store.keep_days, *always]), words)


def _gets(settings: Settings, sharing: SharingView, words: PageWords) -> Sequence[str]:
    """Who gets what by way of this recorder: a ward, and phones that are told of events by others' services."""
    if sharing.standing == "in":
        events = any(part.told for part in sharing.parts if part.name == "events")
        of_people = sharing.people and not sharing.lack
        told = [words("notice.gets_no_events" if not events else
                      "notice.gets_people" if of_people else "notice.gets_events", ward=sharing.ward),
                words(f"notice.pictures_{sharing.pictures or 'mixed'}")]
    else:
        told = [words("notice.gets_nobody")]
    if settings.notify:
        pictures = any(each.pictures for each in settings.notify)
        told.append(words("notice.phones_pictures" if pictures else "notice.phones"))
    return told
