"""Health: facts in, conditions out. Pure; names a root cause once, without flapping."""
