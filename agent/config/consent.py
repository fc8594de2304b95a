"""What the household agrees to by its settings, in few words: for the ledger, so that it can be looked up later."""
from agent.config.settings import Camera, Settings
from agent.config.wardconfig import listens
from agent.core.ledger import Agreed


def agreed(settings: Settings) -> Agreed:
    """What holds now."""
    ward, store = settings.ward, settings.store
    return Agreed(cameras={camera.name: _camera(camera) for camera in settings.camera},
                  keep_h=int(store.keep_days * 24), keep_continuous_h=int(store.keep_continuous_days * 24),
                  ward=ward.ward if ward.enabled else None, encrypt=store.encrypt,
                  configurable=listens(settings))


def _camera(camera: Camera) -> str:
    """ "motion, with sound, off Mon-Fri 07:00-17:00"; "off" for a camera that is switched off."""
    if not camera.enabled:
        return "off"
    sound = ["with sound"] if camera.audio else []
    return ", ".join([camera.record, *sound, *(f"off {hours}" for hours in camera.off)])
