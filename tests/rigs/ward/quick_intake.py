"""The ward's intake as a process with short waits: `python -m tests.rigs.ward.quick_intake --config CONFIG`."""
import sys
from pathlib import Path

from agent.ward.uploads import main, service

if __name__ == "__main__":
    main.SILENCE_S, service.AGAIN_S, main.TIDY_EVERY_S = 0.6, 0.5, 0.3
    sys.exit(main.main(Path(sys.argv[-1])))
