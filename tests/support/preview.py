"""Render every page with sample data, and photograph it; for whoever changes how pages look.

    python -m tests.support.preview DIRECTORY           HTML files and the stylesheet
    python -m tests.support.preview DIRECTORY --shots   also PNGs: four widths, each light and dark

The HTML is what the daemon sends, but for the address of the stylesheet. Nothing here runs in
production or in a test.
"""

import argparse
import shutil
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from identity.web.pages import STYLESHEET, Branding, Pages
from tests.support.clock import ManualClock
from tests.support.samples import samples

SIZES: Final = {"narrow": (320, 568), "phone": (390, 844), "tablet": (768, 1024), "desktop": (1280, 800)}


def write(directory: Path) -> list[Path]:
    """Write every sample as a file beside its stylesheet."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "style.css").write_bytes(STYLESHEET.body)
    pages = Pages(clock=ManualClock(), site=Branding(name="Example Login"))
    written = []
    for sample in samples():
        path = directory / f"{sample.label}.html"
        path.write_bytes(pages.render(sample.page, **sample.values).replace(STYLESHEET.url.encode(), b"style.css"))
        written.append(path)
    return written


def photograph(browser: Browser, page: Path, *, size: str, scheme: str) -> None:
    """Save one page as PNG, whole."""
    width, height = SIZES[size]
    with browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    ) as context:
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.screenshot(path=page.with_name(f"{page.stem}.{size}.{scheme}.png"), full_page=True)


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--shots", action="store_true")
    parser.add_argument("--only", default="", help="only pages whose name begins so")
    asked = parser.parse_args()
    written = [path.resolve() for path in write(asked.directory) if path.stem.startswith(asked.only)]
    if asked.shots:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for path in written:
                for size in SIZES:
                    for scheme in ("light", "dark"):
                        photograph(browser, path, size=size, scheme=scheme)


if __name__ == "__main__":
    main()
