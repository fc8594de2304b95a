"""The addresses of settings: cameras and their pictures, the recorder, its first steps."""
from starlette.routing import Route

from agent.web.server.parts import PageParts, form_routes
from agent.web.settings import pages
from agent.web.settings.camera_search import CameraSearch
from agent.web.settings.cameras import CamerasPage
from agent.web.settings.home_broker import HomeBrokerPage
from agent.web.settings.notify_page import NotifyForm, NotifyPage
from agent.web.settings.picture import BusyAreas, LooksPage, PicturePage


def settings_routes(parts: PageParts) -> list[Route]:
    seen, hub, steps = CamerasPage(parts, CameraSearch(parts)), pages.SettingsHub(parts), pages.SetupPages(parts)
    phones, busy = NotifyPage(parts), BusyAreas(parts)
    drawn = PicturePage(parts, busy)
    forms = {"/settings/recording/{name}": pages.RecordingSettings, "/settings/retention": pages.RetentionSettings,
             "/settings/device": pages.DeviceSettings, "/settings/afar": pages.AfarSettings,
             "/settings/home": HomeBrokerPage, "/settings/notify/{n:int}": NotifyForm}
    return [
        *form_routes("/cameras", seen.show, seen.add),
        Route("/search", seen.look, methods=["POST"]),
        *form_routes("/cameras/{name}", seen.one, seen.change),
        *form_routes("/cameras/{name}/picture", drawn.show, drawn.change),
        Route("/cameras/{name}/rehearsal/{n:row}.jpg", drawn.rehearsal_picture),
        Route("/cameras/{name}/looks", LooksPage(parts).watch),
        Route("/busy/forget", busy.forget, methods=["POST"]),
        *form_routes("/setup", steps.show, steps.finish),
        Route("/setup/device", steps.set_device, methods=["POST"]),
        Route("/setup/name", steps.show),
        Route("/setup/cameras", seen.show),
        Route("/setup/sharing", steps.show),
        Route("/setup/done", steps.show),
        Route("/settings", hub.show),
        Route("/settings/undo", hub.undo, methods=["POST"]),
        *(route for path, kind in forms.items() for form in (kind(parts),)
          for route in form_routes(path, form.show, form.save)),
        Route("/settings/notify", phones.show, methods=["GET"]),
        Route("/settings/notify/try", phones.attempt, methods=["POST"]),
    ]
