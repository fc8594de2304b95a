"""`python -m agent.cli.update`: what systemd's units and the package's maintainer script start as root.

The package's script does so before anything has been laid:

    PYTHONPATH=/usr/lib/taimat:/usr/lib/taimat/libraries /usr/bin/python3 -P -B -m agent.cli.update adopt VERSION
"""
import sys

from agent.cli.exits import say
from agent.cli.update.main import app

try:
    app(prog_name="taimat update")
except Exception as error:
    sys.exit(say(error))
