"""`python -m agent.keeper`: the keeper role."""
import sys

from agent.keeper.main import main

sys.exit(main())
