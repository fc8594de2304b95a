"""Taimat: the agent that turns a small computer and a camera into a recorder that a household owns."""

__version__ = "0.1.0"
