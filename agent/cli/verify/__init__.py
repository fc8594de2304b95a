"""`taimat verify`: whether a card holds what was recorded, and what of it is vouched for."""
from agent.cli.verify.main import verify

__all__ = ["verify"]
