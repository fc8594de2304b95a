"""`python -m agent.web`: the household's page as a process of its own."""
import sys

from agent.web.main import main

sys.exit(main())
