"""Pictures that the ward has asked for, from its command to its receipt: docs/design/evidence.md."""
