"""The home sink: a connection of its own to the household's own broker, for Home Assistant. docs/design/home.md."""
