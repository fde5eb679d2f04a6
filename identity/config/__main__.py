"""Write `config.example.ini` and the tables of docs/configuration.md anew, after an option changed.

Run from the project's folder: `make options`.
"""

import argparse
import sys
from pathlib import Path

from identity.config import document

EXAMPLE = Path("config.example.ini")
MANUAL = Path("docs/configuration.md")


def main() -> None:
    """Rewrite both files; what people wrote around the tables stays."""
    parser = argparse.ArgumentParser(
        prog="python -m identity.config",
        description=f"Write {EXAMPLE} and the tables of {MANUAL} anew from the options in the code. For who changes "
        "an option; the daemon never needs it. Run it in the project's folder. To check a configuration: "
        "identityd.py check-config.",
    )
    parser.parse_args()
    if not (EXAMPLE.is_file() and MANUAL.is_file()):
        sys.exit(f"{EXAMPLE} and {MANUAL} are not here; run this in the project's folder. Nothing was written.")
    EXAMPLE.write_text(document.example())
    before, _, rest = MANUAL.read_text().partition(document.START)
    _, _, after = rest.partition(document.END)
    MANUAL.write_text(f"{before}{document.START}\n\n{document.tables()}\n{document.END}{after}")
    sys.stdout.write(f"{EXAMPLE} and the tables of {MANUAL} are written.\n")


if __name__ == "__main__":
    main()
