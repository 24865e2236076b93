"""`mecdsl` and `python -m mecdsl`; Ctrl-C ends with exit code 130 from the first import on."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from mecdsl.command_line.main import main as run

        run()
    except KeyboardInterrupt:  # while modules were being read, or while Python was being left
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
