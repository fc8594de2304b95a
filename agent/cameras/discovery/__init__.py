"""Which cameras are on the network, and where their streams are: for `taimat discover` and for the page."""
