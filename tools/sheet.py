"""The cheat sheet as one page to print: `make docs` puts it beside the page.

    python -m tools.sheet                 build/cheat-sheet.pdf

``docs/cheat-sheet.md`` is the one source, and Chromium the printer.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "cheat-sheet.md"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4 landscape; margin: 9mm 10mm; }}
body {{ font: 8.8pt/1.28 "DejaVu Sans", Arial, sans-serif; color: #111; margin: 0; columns: 2;
  column-gap: 8mm; }}
h1 {{ font-size: 14pt; margin: 0 0 1mm; color: #0b4f7d; }}
h2 {{ font-size: 10.5pt; margin: 2.6mm 0 1mm; color: #0b4f7d; break-after: avoid; }}
p {{ margin: 0 0 1mm; }}
code {{ font: 7.8pt "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
table {{ border-collapse: collapse; width: 100%; break-inside: avoid; }}
th {{ text-align: left; border-bottom: 0.4mm solid #0b4f7d; }}
th, td {{ padding: 0.55mm 2mm 0.55mm 0; vertical-align: top; }}
td {{ border-bottom: 0.1mm solid #bbb; }}
footer {{ font-size: 7.5pt; color: #444; margin-top: 2mm; }}
</style><body>{body}<footer>{footer}</footer></body></html>
"""


def browser() -> str | None:
    """Where Chromium is, if it is there."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def page(version: str) -> str:
    """The cheat sheet as HTML for one sheet of paper."""
    text = SOURCE.read_text(encoding="utf-8")
    body = MarkdownIt("commonmark").enable("table").render(text)
    title = re.findall(r"^# (.+)$", text, re.MULTILINE)[0]
    footer = f"equivlab {version}: github.com/equivlab/equivlab"
    return PAGE.format(title=title, body=body, footer=footer)


def write(target: Path, version: str) -> bool:
    """Print the sheet; False where there is no Chromium.

    Raises:
        RuntimeError: it takes more than one page.
    """
    found = browser()
    if found is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        html, pdf = Path(folder) / "sheet.html", Path(folder) / "sheet.pdf"
        html.write_text(page(version), encoding="utf-8")
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={folder}/profile", f"--print-to-pdf={pdf}", html.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        if (count := pages(pdf)) != 1:
            raise RuntimeError(f"the cheat sheet takes {count} pages; shorten {SOURCE.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pdf, target)
    return True


def pages(pdf: Path) -> int:
    """How many pages a PDF of Chromium has."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))


def main() -> int:
    import equivlab

    target = ROOT / "build" / "cheat-sheet.pdf"
    if not write(target, equivlab.__version__):
        print(f"no Chromium to print with; looked for {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
