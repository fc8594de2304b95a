"""Tamper: luma pictures in; manipulations of the camera out. Pure; numpy and OpenCV only inside this room."""
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.verdict import Kind, Phase, Tampering
from agent.core.vision.tamper.watch import TamperWatch

__all__ = ["Kind", "Phase", "TamperSettings", "TamperWatch", "Tampering"]
