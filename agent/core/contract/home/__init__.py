"""What Home Assistant at home is told, in its own terms. Pure. docs/design/household.md tells why."""
