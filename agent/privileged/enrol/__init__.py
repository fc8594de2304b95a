"""The recorder's way to its ward's certificate: docs/design/ward.md."""
