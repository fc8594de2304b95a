"""`taimat discover`: which cameras are on the network, and what to write into the configuration for each."""
