"""The views a camera has: one for each light it has been seen in; and the newcomer that may replace them."""
from agent.core.vision.tamper.fit import Fit, compare
from agent.core.vision.tamper.lately import Lately
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import TamperSight
from agent.core.vision.tamper.verdict import verdict
from agent.core.vision.tamper.view import View


class TamperViews:
    """At most `views_max`, the present one first, then by how lately they were present."""

    def __init__(self, first: View, settings: TamperSettings) -> None:
        """Start with one view, which need not be ready."""
        self._s = settings
        self._views = [first]
        self._odd_s = 0.0

    def fit(self, now: Lately) -> Fit:
        """How the present view fits, after changing to another if that fits better."""
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
        """Whether the present view is known well, and all of it is in its place."""
        return self._fits(fit) and self._views[0].age_s >= self._s.learn_s

    def learn(self, sight: TamperSight, dt_s: float, fit: Fit) -> None:
        """Take in a sight with which nothing seems wrong.

        What does not fit (another light, something that stands in the way) may still become a suspicion. When it has
        lasted without one, it is a view of its own; so the one before is known at once when it comes back.
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
        """Something seems wrong: what did not fit before counts no longer."""
        self._odd_s = 0.0

    def _fits(self, fit: Fit) -> bool:
        s = self._s
        return fit.structured < s.judge_min or (
            fit.lost < s.odd_lost and fit.kept > s.odd_kept and fit.detail_left > s.odd_detail)


class Newcomer:
    """What the camera sees after it was moved: after a long calm it is the usual view."""

    def __init__(self, first: TamperSight, settings: TamperSettings) -> None:
        """Start from one sight."""
        self._s = settings
        self.view = View(first, settings)
        self._unlike_s = 0.0

    def see(self, sight: TamperSight, now: Lately, dt_s: float) -> bool:
        """Take the next sight; True once the view has been stable for long enough. One that changes starts anew."""
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
