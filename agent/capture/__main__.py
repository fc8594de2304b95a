"""`python -m agent.capture`: the capture role."""
import os

from agent.capture.main import main

# A source may sit in a native call: the process ends now, not when that comes back.
os._exit(main())
