"""The views of a camera, one for each light, and the newcomer that may replace them."""
from agent.core.vision.tamper.fit import Fit, compare
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import TamperSight
from agent.core.vision.tamper.verdict import verdict
from agent.core.vision.tamper.view import Lately, View


class TamperViews:
    """At most `views_max`: the present one first, then by their latest use."""

    def __init__(self, first: View, settings: TamperSettings) -> None:
        self._s = settings
        self._views = [first]
        self._odd_s = 0.0

    def fit(self, now: Lately) -> Fit:
        first = compare(now, self._views[0], self._s)
        if first.known and self._fits(first):
            return first
        for view in self._views[1:]:
            fit = compare(now, view, self._s)
            if self._fits(fit) and fit.light < self._s.same_light:
                self._views = [view, *(v for v in self._views if v is not view and v.ready)]
                return fit
        return first

    def settled(self, fit: Fit) -> bool:
        """Whether the present view is known well and fits completely."""
        return self._fits(fit) and self._views[0].age_s >= self._s.learn_s

    def learn(self, sight: TamperSight, dt_s: float, fit: Fit) -> None:
        """Learns from a sight without a suspicion.

        A misfit (another light, an obstacle) may still become a suspicion. If it lasts without one, it becomes a view
        of its own. So the earlier view is known at once when it comes back.
        """
        if not fit.known or self._fits(fit):
            self._views[0].learn(sight, dt_s)
            self._odd_s = 0.0
            return
        self._odd_s += dt_s
        if self._odd_s > self._s.odd_s:
            self._views = [View(sight, self._s), *self._views][:self._s.views_max]
            self._odd_s = 0.0

    def doubt(self) -> None:
        self._odd_s = 0.0

    def _fits(self, fit: Fit) -> bool:
        s = self._s
        return fit.structured < s.judge_min or (
            fit.lost < s.odd_lost and fit.kept > s.odd_kept and fit.detail_left > s.odd_detail)


class Newcomer:
    """The view after the camera was moved. After a long stable time it becomes the usual one."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        self._s = settings
        self.view = View(first, settings)
        self._unlike_s = 0.0

    def see(self, sight: TamperSight, now: Lately, dt_s: float) -> bool:
        """Takes the next sight. Returns True once the view was stable for long enough. A changed view starts again."""
        s = self._s
        fit = compare(now, self.view, s)
        if not fit.known or (fit.structured >= s.judge_min and verdict(fit, s) is None):
            self.view.learn(sight, dt_s)
            self._unlike_s = 0.0
        else:
            self._unlike_s += dt_s
        if self._unlike_s > s.normal_s:
            self.view, self._unlike_s = View(sight, s), 0.0
        return self.view.age_s >= s.adopt_s
