"""Encryption at rest: a file on the card can only be read with the key of its day (docs/design/storage.md)."""
