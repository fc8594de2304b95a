"""Health: facts in, conditions out. Pure. Reports a root cause once, without flapping."""
