"""``python -m esper_audit``."""

from esper_audit.cli import main

if __name__ == "__main__":
    main()
