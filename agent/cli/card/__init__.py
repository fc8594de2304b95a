"""`taimat card`: the boot partition of a recorder's card, judged, fitted and made ready."""
