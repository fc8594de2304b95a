"""The messages to Home Assistant, in its own format. Pure. docs/design/household.md has the reasons."""
