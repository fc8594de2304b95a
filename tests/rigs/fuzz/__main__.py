"""All decoders of what strangers send, fuzzed with an eye on which lines are reached.

`python -m tests.rigs.fuzz NAME CORPUS`.

Options of libFuzzer follow, such as -runs=100000; with a crash the exit code is not 0, and the input lies beside.
It needs atheris (pip install atheris). Without it tests/sim/test_fuzz.py changes the same inputs by chance.
"""
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agent"]):
    from tests.rigs.fuzz.targets import SEEDS, TARGETS


def main(argv: list[str]) -> None:
    """Fuzz until the runs are over."""
    name, corpus = argv[1], Path(argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([argv[0], *argv[2:]], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
