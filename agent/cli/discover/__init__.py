"""`taimat discover`: which cameras are on the network, and what to write into the configuration for each."""
from agent.cli.discover.main import Wishes, discover

__all__ = ["Wishes", "discover"]
