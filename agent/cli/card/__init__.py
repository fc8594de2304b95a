"""`taimat card`: checks, fits and prepares the boot partition of a recorder's card."""
