"""Notifications to the household's phones: a thread of the link that follows the events. docs/design/household.md."""
