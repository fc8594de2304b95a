"""Judges and edits the files of the boot partition of a recorder's card. Pure.

docs/design/device.md has the reasons.
"""
