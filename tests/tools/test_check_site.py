"""What `tools.check_site` says of pages that are well, and of pages that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.widgets.chromium import BROWSER, in_browser
from tools.check_site import check

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<main><h1>A page</h1>{}</main></html>"""
WIDGET = """<div class="equivlab-offline">
<canvas tabindex="0" aria-label="a picture"></canvas>{}</div>
<script>document.querySelector("canvas").onkeydown = (event) => {{ {} }};</script>"""
PAINTS = 'document.querySelector("canvas").getContext("2d").fillRect(0, 0, 9, 9);'
PAGES = {
    "well": "<p>Nothing moves.</p>",
    "turning": WIDGET.format("", PAINTS),
    "at its end": WIDGET.format("", f"if (event.key === 'ArrowLeft') {PAINTS}"),
    "saying": WIDGET.format("<p>It needs a running kernel.</p>", ""),
    "silent": WIDGET.format("<p>Look.</p>", ""),
    "talking": "<script>console.log('hm'); console.log('GPU stall due to ReadPixels')</script>",
    "raw": r"<p>It is \(x\) or \cdot, for <code>\frac</code> and <math><mi>x</mi></math>.</p>",
    "tilde": "<p>f(x: <em>~torch.Tensor</em>)</p>",
    "dollars": "<p>Here $x$ is.</p>",
    "unfolded": "<pre># A solution. Unfold it.</pre>",
    "folded": "<details><summary>Show</summary><pre># A solution. Unfold it.</pre></details>",
    "cut": f"<details><summary>Show</summary><pre>short\n{300 * 'a'}</pre></details>",
    "whole": f"<pre style='white-space: pre-wrap'>{90 * 'a '}</pre>",
    "large": "<!--" + 8_000_000 * "a" + "-->",
    "asking": '<img alt="far away" src="https://example.org/far.png">',
}


@in_browser
def test_each_fault_is_named_and_nothing_else(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    for name, body in PAGES.items():
        (tmp_path / f"{name}.html").write_text(PAGE.format(body), encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        found = check(chromium, tmp_path, None, patience=1000)
        chromium.close()
    light = [fault for fault in found if ", light: " in fault]
    assert len(found) == 2 * len(light)
    bad = {"silent", "talking", "asking", "raw", "tilde", "dollars", "unfolded", "cut", "large"}
    assert {fault.partition(",")[0] for fault in light} == bad
    assert "silent, light: a widget neither turns nor says why: Look." in light
    assert "talking, light: hm" in light
    assert "asking, light: asks for https://example.org/far.png" in light
    assert r"raw, light: raw markup: It is \(x\) or \cdot, for" in light
    assert "dollars, light: raw markup: Here $x$ is." in light
    assert "tilde, light: raw markup: ~torch.Tensor" in light
    assert "unfolded, light: a solution is not folded: # A solution. Unfold it." in light
    assert f"cut, light: a line is cut off: {300 * 'a'}" in light
    assert "large, light: 8.0 MB, more than 8.0" in light
