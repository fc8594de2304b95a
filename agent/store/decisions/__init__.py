"""The household's decisions, in a database that only the keeper (and the command line as root or owner) may open."""
