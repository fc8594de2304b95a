"""What the scene looks like in another light: by day or infrared, with the lamp on or off; each is learned apart."""
from copy import deepcopy

from agent.core.motion.background import Background
from agent.core.motion.picture import Picture
from agent.core.motion.settings import MotionSettings


class Views:
    """Backgrounds that a global change has left behind, the latest `views_max`."""

    def __init__(self, settings: MotionSettings) -> None:
        """Start with none."""
        self._s = settings
        self._views: list[Background] = []

    def keep(self, background: Background) -> None:
        """Remember a background as it is now, if it has been learned for long enough to be worth it."""
        if background.age_s >= self._s.view_age_s:
            self._views = [*self._views, deepcopy(background)][-self._s.views_max:]

    def exchange(self, background: Background, picture: Picture, differs: float) -> Background | None:
        """The view that `picture` belongs to, ready to go on, or None.

        `differs` is the share of the picture that differs from `background`, which is kept if another one fits better.
        """
        share_max = self._s.view_share * differs
        for view in reversed(self._views):
            if view.compare(picture, 0.0).share < share_max:
                self._views.remove(view)
                self.keep(background)
                view.resume(picture)
                return view
        return None

    def forget(self) -> None:
        """Start anew."""
        self._views = []
