"""The ward's desk: a page for officers, and the same devices in a terminal."""
