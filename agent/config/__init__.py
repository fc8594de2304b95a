import agent.core  # noqa: F401 (before msgspec)
