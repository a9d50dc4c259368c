"""`python -m audioclf`."""

from audioclf.cli import main

if __name__ == "__main__":
    main()
