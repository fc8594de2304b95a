"""The home sink: its own connection to the household's broker, for Home Assistant. docs/design/household.md."""
