"""All devices of a ward or a city on one machine: against a real broker and the ward's real ingest."""
