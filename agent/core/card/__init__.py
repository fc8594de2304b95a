"""The boot partition of a recorder's card: what its files say, judged and edited. Pure.

docs/design/board.md has the reasons.
"""
