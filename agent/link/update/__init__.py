"""A newer version of the agent, from the ward's command to root's door: docs/design/device.md."""
