"""Encryption at rest: files on the card that only those can read who have the key of their day.

docs/design/storage.md tells who has which key and what it costs.
"""
