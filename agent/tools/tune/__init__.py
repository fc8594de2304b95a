"""`taimat tune`: recorded footage through the detector again, and what other settings would have made of it."""
from agent.tools.tune.main import tune
from agent.tools.tune.wishes import Wishes

__all__ = ["Wishes", "tune"]
