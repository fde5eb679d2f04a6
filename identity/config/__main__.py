"""Write `config.example.ini` and the tables of docs/configuration.md anew, after an option changed.

Run from the project's folder: `make options`.
"""

from pathlib import Path

from identity.config import document


def main() -> None:
    """Rewrite both files; what people wrote around the tables stays."""
    Path("config.example.ini").write_text(document.example())
    manual = Path("docs/configuration.md")
    before, _, rest = manual.read_text().partition(document.START)
    _, _, after = rest.partition(document.END)
    manual.write_text(f"{before}{document.START}\n\n{document.tables()}\n{document.END}{after}")


if __name__ == "__main__":
    main()
