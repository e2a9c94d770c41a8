"""A picture of the mesh: every node where it is, every link a line. A small file of plain SVG, without any library."""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import escape

from .outcome import Outcome
from .station import MAX_CONNECTIONS

#: Pixels of the side of the square that the nodes are in, and around it.
SIDE, MARGIN, FOOT = 960.0, 20.0, 64.0
#: From no link to as many as there can be: one hue, so that more is darker; no link at all stands out.
ALONE = "#d1495b"
SHADES = ("#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b")


def draw(outcome: Outcome) -> str:
    """Return a picture of what a run has ended with, as the text of an SVG file."""
    width, height = SIDE + 2 * MARGIN, SIDE + 2 * MARGIN + FOOT
    points = _fit(outcome.positions)
    degrees = Counter(number for edge in outcome.edges for number in edge)
    radius = max(2.0, min(9.0, 110.0 / len(points) ** 0.5))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">',
            f"<title>{escape(_title(outcome))}</title>",
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            f'<path d="{_lines(outcome, points)}" stroke="#9aa5b1" stroke-width="{radius / 4:.2f}" fill="none"/>',
            *_nodes(points, degrees, radius),
            *_legend(outcome),
            "</svg>\n",
        ]
    )


def _title(outcome: Outcome) -> str:
    scenario = outcome.scenario
    return f"{scenario.nodes} nodes after {scenario.minutes:g} minutes, seed {scenario.seed}"


def _fit(positions: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Return the positions in pixels."""
    extent = max((value for position in positions for value in position), default=1.0) or 1.0
    return [(MARGIN + x / extent * SIDE, MARGIN + y / extent * SIDE) for x, y in positions]


def _lines(outcome: Outcome, points: list[tuple[float, float]]) -> str:
    return "".join(
        f"M{points[one][0]:.1f} {points[one][1]:.1f}L{points[other][0]:.1f} {points[other][1]:.1f}"
        for one, other in outcome.edges
    )


def _nodes(points: list[tuple[float, float]], degrees: Counter[int], radius: float) -> list[str]:
    """Return the nodes, in one group for each number of links."""
    groups: dict[int, list[str]] = {}
    for number, (x, y) in enumerate(points):
        groups.setdefault(degrees[number], []).append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>')
    return [f'<g fill="{_shade(degree)}">{"".join(groups[degree])}</g>' for degree in sorted(groups)]


def _shade(degree: int) -> str:
    return SHADES[min(degree, len(SHADES)) - 1] if degree else ALONE


def _legend(outcome: Outcome) -> list[str]:
    top = SIDE + 2 * MARGIN + 18
    text = f"{_title(outcome)}: {outcome.links} links, {outcome.alone} nodes without one"
    lines = [f'<text x="{MARGIN:g}" y="{top:g}" font-size="18" fill="#1f2933">{escape(text)}</text>']
    for degree in range(MAX_CONNECTIONS + 1):
        x = MARGIN + 7 + 52 * degree
        lines.append(f'<circle cx="{x:g}" cy="{top + 22:g}" r="7" fill="{_shade(degree)}"/>')
        lines.append(f'<text x="{x + 12:g}" y="{top + 27:g}" font-size="15" fill="#1f2933">{degree}</text>')
    x = MARGIN + 52 * (MAX_CONNECTIONS + 1)
    lines.append(f'<text x="{x:g}" y="{top + 27:g}" font-size="15" fill="#1f2933">links of a node</text>')
    return lines
