"""`taimat verify`: whether a card holds what was recorded, and what of it is vouched for."""
from agent.tools.verify.main import verify

__all__ = ["verify"]
