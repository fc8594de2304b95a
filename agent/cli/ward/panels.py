"""The headings under which `taimat ward --help` lists its commands, in the order in which the first of each stands."""

MAKE = "Make it and keep it"
DEVICES = "Its devices"
ORDERS = "Ask and order"
TRIALS = "Try it"
SERVICES = "Services, which systemd runs"
