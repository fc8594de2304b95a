"""`python -m agent.link`: the link role."""
import sys

from agent.link.main import main

sys.exit(main())
