"""The ward's intake: devices upload the requested pictures here over HTTPS. docs/design/ward.md."""
