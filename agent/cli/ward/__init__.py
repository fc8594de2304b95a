"""`taimat ward ...`: the commands of the ward's end; each becomes the part of `agent.ward` that it names."""
