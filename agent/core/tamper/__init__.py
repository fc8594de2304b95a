"""Tamper: luma pictures in; what somebody has done to the camera out. Pure; numpy and OpenCV only inside this room."""
from agent.core.tamper.settings import TamperSettings
from agent.core.tamper.tampering import Kind, Phase, Tampering
from agent.core.tamper.watch import TamperWatch

__all__ = ["Kind", "Phase", "TamperSettings", "TamperWatch", "Tampering"]
