"""Make worlds and print the folder they are in."""
import argparse
import sys

from tests.rigs.worlds import WORLDS, worlds


def main(argv: list[str]) -> int:
    """Run the command; 2 if the material is missing or a name is unknown."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.rigs.worlds", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to make; else all")
    parser.add_argument("--list", action="store_true", help="tell which there are")
    wanted = parser.parse_args(argv)
    if wanted.list:
        print("\n".join(f"{name:28} {make.__doc__.splitlines()[0]}" for name, make in WORLDS.items()))
        return 0
    try:
        print(worlds(wanted.names or None, lambda name: print(name, file=sys.stderr, flush=True)))
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
