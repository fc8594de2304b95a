"""Probes: what the kernel tells about the machine, read without ever raising, blocking or guessing."""
