"""Taimat: the agent that turns a small computer and a camera into a recorder that a household owns."""
import os

__version__ = "0.1.0"

# Of the version that this process began with, also while `current` leads to another one already.
__path__ = [os.path.realpath(path) for path in __path__]
