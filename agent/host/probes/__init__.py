"""Reads facts about the machine from the kernel, without raising, blocking or guessing."""
