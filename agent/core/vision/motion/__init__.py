"""Motion: luma pictures in; score, boxes and reasons out. Pure. Only this room uses numpy and OpenCV."""
from agent.core.vision.motion.detector import DETECTOR_VERSION, Detector
from agent.core.vision.motion.look import Look, Reason, SeenObject
from agent.core.vision.motion.settings import MotionSettings, Sensitivity

__all__ = ["DETECTOR_VERSION", "Detector", "Look", "MotionSettings", "Reason", "SeenObject", "Sensitivity"]
