"""From the packets of encoded streams to small pictures for motion, at the least cost."""
