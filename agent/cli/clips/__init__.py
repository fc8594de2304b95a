"""`taimat clips`: what is on the card, what of it is held, and how it is erased."""
