"""Open every page of the built site in Chromium with the network cut, in light and in dark.

    python -m tools.check_site              build/site, after `make docs`
    python -m tools.check_site --folder there --screens shots

A page must load nothing, say nothing in the console, and show axe-core (which `npm ci` brings)
nothing serious. Each widget on it must change when it is turned, or say that it needs a kernel.
Its formulas must be drawn, its solutions folded, its lines of code whole at 1280 pixels, and its
file no larger than 8 MB.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

from tools.sheet import browser

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """async () => (await axe.run(document, { preload: false })).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 120))}`)"""
SCHEMES = ("light", "dark")
# What a widget shows: its pixels, and from where one looks at its figures of plotly.
LOOKS = """widget => [
  ...[...widget.querySelectorAll("canvas")].map((one) => one.toDataURL()),
  ...[...widget.querySelectorAll(".equivlab-plotly")].map((one) =>
    JSON.stringify(one._fullLayout?.scene?.camera?.eye)),
].join()"""
CHANGED = f"([widget, before]) => ({LOOKS})(widget) !== before"
PLACES = "canvas[tabindex='0'], .equivlab-plotly[tabindex='0']"
KEYS = ("ArrowRight", "ArrowLeft")  # where one is at an end, the other leads away from it
# Remarks on reading pixels: the driver's on ours, the browser's on plotly's, of its letters.
READING = ("GPU stall due to ReadPixels", "Multiple readback operations using getImageData")
# Words between dollars, commands of TeX, or a role's tilde, in text that is no code.
RAW = r"""() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const { textContent: text, parentElement: home } = walk.currentNode;
    if (home.closest("code, pre, script, style, math, svg")) continue;
    if (/\$[^$]+\$|\\[a-zA-Z]{3,}|~[a-z_]+\.\w/.test(text)) found.push(text.trim().slice(0, 80));
  }
  return found;
}"""
UNFOLDED = """() => [...document.querySelectorAll("pre")]
  .filter((one) => one.textContent.startsWith("# A solution."))
  .filter((one) => !one.closest("details:not([open])"))
  .map((one) => one.textContent.slice(0, 80))"""
CUT = """() => {
  const folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
  const found = [...document.querySelectorAll("pre")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1)
    .map((one) => one.textContent.split("\\n").reduce((a, b) => (a.length < b.length ? b : a)));
  for (const one of folded) one.open = false;
  return found;
}"""
MOST_BYTES = 8_000_000  # of a page
PATIENCE = 10_000  # milliseconds in which a widget must have changed


def faults(page: Page, path: Path, patience: int) -> Iterator[str]:
    """What is wrong with one page."""
    said: list[str] = []
    page.on("console", lambda message: hear(said, message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"asks for {request.url}"))
    page.goto(path.as_uri())
    page.wait_for_function(
        "() => !document.querySelector('.equivlab-still')", timeout=6 * PATIENCE
    )  # every widget lives
    for widget in page.locator(".equivlab-offline").all():
        if not turns(page, widget, patience):
            yield "a widget neither turns nor says why: " + widget.inner_text()[:80]
    yield from said
    yield from (f"raw markup: {text}" for text in page.evaluate(RAW))
    yield from (f"a solution is not folded: {text}" for text in page.evaluate(UNFOLDED))
    yield from (f"a line is cut off: {text}" for text in page.evaluate(CUT))
    if (size := path.stat().st_size) > MOST_BYTES:
        yield f"{size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.1f}"
    if AXE.exists():
        page.add_script_tag(path=AXE)
        yield from page.evaluate(SERIOUS)


def hear(said: list[str], text: str) -> None:
    """Keep what the console says, but for remarks on reading pixels."""
    if not any(words in text for words in READING):
        said.append(text)


def turns(page: Page, widget: Locator, patience: int) -> bool:
    """Whether a widget changes by the arrow keys, or says in words that a kernel is missing."""
    widget.scroll_into_view_if_needed()
    before = widget.evaluate(LOOKS)
    for place in widget.locator(PLACES).all():
        for key in KEYS:
            place.focus()
            page.keyboard.press(key)
            given = [widget.element_handle(), before]
            try:
                page.wait_for_function(CHANGED, arg=given, timeout=patience)
            except TimeoutError:
                continue
            return True
    return "kernel" in widget.inner_text() or widget.locator("[aria-label*=kernel]").count() > 0


def check(
    chromium: Browser, site: Path, screens: Path | None, patience: int = PATIENCE
) -> list[str]:
    """Every page in both schemes; what is wrong, by page."""
    found = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).with_suffix("").as_posix()
        if name.startswith(("_", "index")):  # parts of the theme, and a page that leads on
            continue
        for scheme in SCHEMES:
            context = chromium.new_context(offline=True, color_scheme=scheme)
            context.set_default_timeout(12 * PATIENCE)  # where others use the machine too
            page = context.new_page()
            found += [f"{name}, {scheme}: {fault}" for fault in faults(page, path, patience)]
            if screens:
                shot = screens / f"{name.replace('/', '-')}-{scheme}.png"
                page.screenshot(path=shot, full_page=True)
            context.close()
        print(name, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--screens", type=Path, help="a folder for pictures of all pages")
    given = parser.parse_args()
    if given.screens:
        given.screens.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        found = check(chromium, given.folder.resolve(), given.screens)
        chromium.close()
    print("\n".join(found) or "every page is well")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
