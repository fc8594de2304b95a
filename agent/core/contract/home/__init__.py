"""The messages to Home Assistant, in its own terms. Pure. docs/design/household.md has the reasons."""
