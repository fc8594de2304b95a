"""Uvicorn without its command line, which the package's first lines load. It would stay in memory (2 MB)."""
import sys
from types import ModuleType

if "uvicorn" not in sys.modules:
    sys.modules["uvicorn.main"] = ModuleType("uvicorn.main")
    sys.modules["uvicorn.main"].__dict__.update(dict.fromkeys(("Server", "main", "run")))
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server

if not hasattr(sys.modules["uvicorn.main"], "__file__"):
    del sys.modules["uvicorn.main"]

__all__ = ["Config", "H11Protocol", "Server"]
