"""Finds the cameras on the network and their streams, for `taimat discover` and for the page."""
