"""The ledger: the device's acts, row by row, each chained to the row before and signed. docs/design/evidence.md.

Pure: the caller passes the functions that sign and verify, so nothing here needs a cryptography library.
"""
