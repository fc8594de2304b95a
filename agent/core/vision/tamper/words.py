"""The sentences that tell people what has been seen.

They stand alone so that all that people read of tampering is in one place.
"""
from agent.core.vision.tamper.fit import Fit
from agent.core.vision.tamper.kinds import Kind

BACK = "The usual view is back."
ALIVE = "The picture changes again."
RESIZED = "The pictures have another size: the view is being learned anew."
FROZEN = "Pictures come, but it is always the same one: the camera hangs."
_BLINDED = "Light into the lens: {white:.0f} % of the picture is white."
_STARTS = {
    Kind.COVERED: "{lost:.0f} % of the usual view is gone, and nothing sharp is in its place.",
    Kind.SPRAYED: "{lost:.0f} % of the usual view is gone without an outline, the rest is as sharp as ever.",
    Kind.MOVED: "Another view: {lost:.0f} % of the usual one is not where it was.",
    Kind.DEFOCUSED: "Everything is in its place, but {blurred:.0f} % of the detail is gone.",
    Kind.BLINDED: _BLINDED,
}
_DARK = "Dark without a trace of the usual view: the lens is covered, or all light is out."


def adopted(after_s: float) -> str:
    """The sentence for a moved camera that has been left as it is."""
    return f"The new view has been stable for {after_s / 60:g} minutes: from now on it is the usual one."


def start(kind: Kind, fit: Fit) -> str:
    """The sentence for a kind that has started, by what the fit shows."""
    if kind is Kind.COVERED and fit.dark:
        return _DARK
    blurred = min(1.0, max(0.0, 1 - fit.detail_left))
    return _STARTS[kind].format(lost=100 * fit.lost, white=100 * fit.white, blurred=100 * blurred)
