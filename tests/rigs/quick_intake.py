"""The ward's intake as a process for tests, with short waits: `python -m tests.rigs.quick_intake --config CONFIG`."""
import sys

from agent.ward.uploads import app, counter, main, server

PATIENCE_S = 0.6

if __name__ == "__main__":
    server.HEAD_S = server.HANDSHAKE_S = app.SILENCE_S = PATIENCE_S
    counter.AGAIN_S, main.TIDY_EVERY_S = 0.5, 0.3
    sys.exit(main.main())
