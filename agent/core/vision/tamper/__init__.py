"""Tamper: luma pictures in; what somebody has done to the camera out. Pure; numpy and OpenCV only inside this room."""
from agent.core.vision.tamper.kinds import Kind, Phase, Tampering
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.watch import TamperWatch

__all__ = ["Kind", "Phase", "TamperSettings", "TamperWatch", "Tampering"]
