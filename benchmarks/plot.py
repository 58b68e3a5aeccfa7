"""The plot: one panel of bars for each part, as an SVG that is readable in light and in dark mode."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from benchmarks.results import Part, Row, number

WIDTH, MARGIN, LABELS, VALUES = 760, 20, 290, 70
LINE, BAR, HEAD, GAP = 21, 13, 34, 18
STYLE = """
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24231f }
    .title { font-weight: 600; font-size: 14px }
    .quiet { fill: #64625c }
    .page { fill: #fcfcfa }
    .axis { stroke: #c9c7c0 }
    .roost { fill: #1f6fd0 }
    .other { fill: #b5b2a8 }
    .floor { fill: #6d6a62 }
    @media (prefers-color-scheme: dark) {
      text { fill: #ecebe6 }
      .quiet { fill: #a3a19a }
      .page { fill: #1b1b19 }
      .axis { stroke: #4a4943 }
      .roost { fill: #5ea3f5 }
      .other { fill: #6f6d66 }
      .floor { fill: #b8b5ab }
    }
"""
LEGEND = (("roost", "roost"), ("other", "others"), ("floor", "without a tool"))
FLOORS = ("python ", ".venv/", "built once", "git alone", "no hooks", "pre-commit, system", "prek, system")


def kind(row: Row) -> str:
    """Return the style of a row: roost, another tool, or a floor."""
    if row.label.startswith(FLOORS):
        return "floor"
    return "roost" if "roost" in row.label else "other"


def words(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    """Return one line of text."""
    look = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{look}>{escape(text)}</text>'


def bar(x: float, y: float, length: float, style: str, says: str) -> str:
    """Return a bar with a tooltip."""
    place = f'x="{x}" y="{y}" width="{length:.1f}" height="{BAR}"'
    return f'<rect class="{style}" {place} rx="2"><title>{escape(says)}</title></rect>'


def panel(part: Part, top: float) -> list[str]:
    """Return the elements of one part, whose panel begins at `top`."""
    rows = [row for row in part.rows if row.seconds]
    left = MARGIN + LABELS
    most = max(row.median for row in rows)
    found = [words(MARGIN, top + 18, part.title, "title"), words(WIDTH - MARGIN, top + 18, part.unit, "quiet", "end")]
    for place, row in enumerate(rows):
        y = top + HEAD + place * LINE
        length = max(1.0, (WIDTH - MARGIN - VALUES - left) * row.median / most)
        shown = number(row.median * part.scale())
        failed = f", {row.failures} of {row.starts * len(row.seconds)} failed" if row.failures else ""
        found += [
            words(left - 8, y + 11, row.label, anchor="end"),
            bar(left, y, length, kind(row), f"{row.label}: {shown} {part.unit}{failed}"),
            words(left + length + 6, y + 11, shown),
        ]
    bottom = top + HEAD + len(rows) * LINE - LINE + BAR + 3
    found.append(f'<line class="axis" x1="{left}" y1="{top + HEAD - 3}" x2="{left}" y2="{bottom}"/>')
    return found


def height(part: Part) -> float:
    """Return how much of the page a part takes."""
    return HEAD + LINE * sum(bool(row.seconds) for row in part.rows) + GAP


def svg(parts: Sequence[Part], caption: str) -> str:
    """Return the plot of all parts of which something was measured."""
    shown = [part for part in parts if any(row.seconds for row in part.rows)]
    top = 62.0
    total = top + sum(map(height, shown))
    size = f'viewBox="0 0 {WIDTH} {total:.0f}" width="{WIDTH}" height="{total:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(caption)}>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{total:.0f}" rx="6"/>',
        words(MARGIN, 26, caption, "quiet"),
    ]
    x = MARGIN
    for style, name in LEGEND:
        lines += [f'<rect class="{style}" x="{x}" y="40" width="12" height="12" rx="2"/>', words(x + 18, 51, name)]
        x += 48 + 8 * len(name)
    for part in shown:
        lines += panel(part, top)
        top += height(part)
    return "\n".join([*lines, "</svg>", ""])
