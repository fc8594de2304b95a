"""`taimat export`: footage as a package that a stranger can check."""
