"""The ward's intake: where devices bring the pictures that the ward has asked for, over HTTPS. docs/design/ward.md."""
