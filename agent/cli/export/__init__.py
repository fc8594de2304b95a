"""`taimat export`: footage as a package that a stranger can check, or with --film as a film alone."""
