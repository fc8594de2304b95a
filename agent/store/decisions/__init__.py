"""The household's decisions, in a database that only the keeper (and the command line as root or owner) may open.

Rows of the shared database that say the same are for the other roles to read; nothing is decided by them.
"""
