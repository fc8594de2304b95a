"""How the recorder gets its ward's certificate: docs/design/ward.md."""
