"""All devices of a ward or a city on one machine, with a real broker and the ward's real ingest."""
