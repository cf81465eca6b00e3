"""A flowchart in mermaid's words as SVG, for pages that run nothing.

GitHub draws such a chart by itself. The site has no script for it, so each becomes a picture: nodes
in ranks, each behind all that lead to it, in the colors of the page.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = r"(\w+)(?:\[(.+?)\])?"
ARROW = re.compile(rf"^ +{NODE} (-->|-\.->) {NODE}$")
LETTER, TALL = 7.4, 30.0  # of a node: pixels for a letter, and its height
LANE = 6.0  # for an arrow that crosses a rank
APART = {"LR": (34.0, 14.0), "TD": (46.0, 22.0)}  # between ranks, and within one
SWEEPS = 8  # that bring nodes near those that they are joined to
HEAD = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker>'
)


@dataclass
class Chart:
    """Nodes by name with their words, and arrows between names; `dotted` ones are optional."""

    across: bool
    words: dict[str, str] = field(default_factory=dict)
    arrows: list[tuple[str, str]] = field(default_factory=list)
    dotted: set[tuple[str, str]] = field(default_factory=set)


class Frame(NamedTuple):
    """A place: its corner, and its size along and across."""

    u: float
    v: float
    a: float
    b: float


def read(text: str) -> Chart:
    """What stands in a block.

    Raises:
        ValueError: a line is no arrow; mend it, or teach this module.
    """
    first, *lines = text.strip("\n").splitlines()
    chart = Chart(across=first == "flowchart LR")
    for line in lines:
        found = ARROW.match(line)
        if not found:
            raise ValueError(
                f"a flowchart here has arrows alone, like `a --> b[words]`; got {line!r}"
            )
        begin, begin_words, kind, end, end_words = found.groups()
        for name, words in ((begin, begin_words), (end, end_words)):
            chart.words[name] = words or chart.words.get(name, name)
        chart.arrows.append((begin, end))
        if kind != "-->":
            chart.dotted.add((begin, end))
    return chart


def ranks_of(chart: Chart) -> dict[str, int]:
    """How far each node stands behind the first: one more than the last that leads to it."""
    ranks = dict.fromkeys(chart.words, 0)
    for _ in chart.words:
        for begin, end in chart.arrows:
            ranks[end] = max(ranks[end], ranks[begin] + 1)
    return ranks


def chains(chart: Chart, ranks: dict[str, int]) -> dict[tuple[str, str], list[str]]:
    """The nodes through which an arrow goes: one without words in each rank that it crosses."""
    found = {}
    for begin, end in chart.arrows:
        between = [f"{begin} {end} {rank}" for rank in range(ranks[begin] + 1, ranks[end])]
        for rank, name in enumerate(between, ranks[begin] + 1):
            ranks[name] = rank
        found[begin, end] = [begin, *between, end]
    return found


def ordered(ranks: dict[str, int], paths: list[list[str]]) -> list[list[str]]:
    """The nodes of each rank, in an order in which few arrows cross."""
    near = defaultdict(list)
    for path in paths:
        for one, other in pairwise(path):
            near[one].append(other)
            near[other].append(one)
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name, rank in ranks.items():
        rows[rank].append(name)
    for sweep in range(SWEEPS):
        place = {n: (k + 0.5) / len(row) for row in rows for k, n in enumerate(row)}
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            row.sort(key=lambda n: sum(place[m] for m in near[n]) / max(len(near[n]), 1))
            place |= {n: (k + 0.5) / len(row) for k, n in enumerate(row)}
    return rows


def svg(text: str) -> str:
    """The chart as an element that stands by itself, with its arrows in words."""
    chart = read(text)
    ranks = ranks_of(chart)
    paths = chains(chart, ranks)
    rows = ordered(ranks, list(paths.values()))
    between, beside = APART["LR" if chart.across else "TD"]
    size = {n: (LETTER * len(chart.words[n]) + 16, TALL) for n in chart.words}
    depth, longest = 0.0, 0.0
    at: dict[str, Frame] = {}  # with the first axis along the arrows
    for row in rows:
        thick = max(size[n][0] for n in row if n in size) if chart.across else TALL
        along = 0.0
        for name in row:
            side = LANE if name not in size else TALL if chart.across else size[name][0]
            at[name] = Frame(depth, along, thick, side)
            along += side + beside
        depth, longest = depth + thick + between, max(longest, along - beside)
    for row in rows:  # each rank in the middle of the longest
        last = at[row[-1]]
        for name in row:
            one = at[name]
            at[name] = one._replace(v=one.v + (longest - last.v - last.b) / 2)
    wide, high = (depth - between, longest) if chart.across else (longest, depth - between)
    parts = [line([at[n] for n in path], path, chart) for path in paths.values()]
    parts += [box(turned(at[name], chart.across), words) for name, words in chart.words.items()]
    said = "; ".join(f"{chart.words[a]} leads to {chart.words[b]}" for a, b in chart.arrows)
    return (
        f'<svg role="img" aria-label="{html.escape(said)}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="-4 -4 {wide + 8:.0f} {high + 8:.0f}" font-size="13" '
        f'style="max-width: {wide + 8:.0f}px; width: 100%"><defs>{HEAD}</defs>'
        f"{''.join(parts)}</svg>"
    )


def turned(frame: Frame, across: bool) -> Frame:
    """In the picture: `x y` for the axes along and across the arrows, or the other way round."""
    return frame if across else Frame(frame.v, frame.u, frame.b, frame.a)


def line(frames: list[Frame], path: list[str], chart: Chart) -> str:
    """An arrow: bent between ranks, and straight through those that it crosses."""
    begin, *between, end = frames
    stops = [(begin.u + begin.a, begin.v + begin.b / 2)]
    for one in between:
        stops += [(one.u, one.v + one.b / 2), (one.u + one.a, one.v + one.b / 2)]
    stops.append((end.u, end.v + end.b / 2))

    def point(u: float, v: float) -> str:
        return f"{u:.1f} {v:.1f}" if chart.across else f"{v:.1f} {u:.1f}"

    drawn = "M" + point(*stops[0])
    for (a, b), (c, d) in pairwise(stops):
        drawn += f" C{point((a + c) / 2, b)} {point((a + c) / 2, d)} {point(c, d)}"
    dots = ' stroke-dasharray="4 4"' if (path[0], path[-1]) in chart.dotted else ""
    return (
        f'<path d="{drawn}" fill="none" stroke="currentColor" marker-end="url(#tip)"'
        f' opacity="0.7"{dots}/>'
    )


def box(frame: Frame, words: str) -> str:
    """A node: its words in a frame."""
    x, y, wide, high = frame
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="5" fill="none" '
        f'stroke="currentColor"/><text x="{x + wide / 2:.1f}" y="{y + high / 2 + 4.5:.1f}" '
        f'text-anchor="middle" fill="currentColor">{html.escape(words)}</text>'
    )


def drawn(page: str) -> str:
    """A page of Markdown with its flowcharts as pictures."""
    return BLOCK.sub(lambda found: f"```{{raw}} html\n{svg(found[1])}\n```", page)
