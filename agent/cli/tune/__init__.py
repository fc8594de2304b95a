"""`taimat tune`: recorded footage through the detector again, and what other settings would have made of it."""
from agent.cli.tune.main import tune
from agent.cli.tune.options import Wishes

__all__ = ["Wishes", "tune"]
