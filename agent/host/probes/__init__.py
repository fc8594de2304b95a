"""Probes: what the kernel tells about the machine, read without ever raising, blocking or guessing."""
from agent.host.probes.machine import Probes

__all__ = ["Probes"]
