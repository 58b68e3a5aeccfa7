"""A timeline of builds and waits: an SVG drawn from the journal."""

from collections.abc import Sequence
from html import escape

from roost.console import messages
from roost.store.journal import Event

GAP = 30.0  # seconds without an event between two fan-outs
_COLOURS = {"build": "#2a7ab8", "wait": "#d9a441", "failure": "#c0392b"}
_ROW, _LEFT, _WIDTH = 22, 230, 900


def last_fan_out(events: Sequence[Event]) -> list[Event]:
    """Return the builds, failures and waits at the journal's end that overlap or follow within `GAP`."""
    found: list[Event] = []
    for event in sorted(events, key=lambda event: event.at, reverse=True):
        if event.event not in _COLOURS:
            continue
        if found and event.at.timestamp() < min(one.begun for one in found) - GAP:
            break
        found.append(event)
    return sorted(found, key=_order)


def last_minutes(events: Sequence[Event], minutes: float) -> list[Event]:
    """Return the builds, failures and waits of the journal's last `minutes`."""
    begin = max((event.at.timestamp() for event in events), default=0.0) - minutes * 60
    found = [event for event in events if event.event in _COLOURS and event.at.timestamp() >= begin]
    return sorted(found, key=_order)


def _order(event: Event) -> tuple[float, bool]:
    return event.begun, event.event != "build"


def draw(events: Sequence[Event]) -> str:
    """Return the SVG of `events`, a row each."""
    begin = min(event.begun for event in events)
    span = max(max(event.at.timestamp() for event in events) - begin, 0.001)
    scale = (_WIDTH - _LEFT - 95) / span
    height = 40 + _ROW * len(events) + 30
    counts = {word: sum(event.event == word for event in events) for word in _COLOURS}
    words = f"{counts['build']} built, {counts['wait']} waited, {counts['failure']} failed, {span:.1f} s"
    rows = [_row(event, number, begin, scale) for number, event in enumerate(events)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
            f"<title>{words}</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="10" y="24" font-size="15" fill="#222222">{events[0].at:%Y-%m-%d %H:%M:%S}: {words}</text>',
            *rows,
            *_axis(span, scale, height),
            "</svg>",
            "",
        ]
    )


def _row(event: Event, number: int, begin: float, scale: float) -> str:
    y = 40 + _ROW * number
    x = _LEFT + (event.begun - begin) * scale
    label = f"{event.pid} {event.fields.get('command', event.fields.get('environment', ''))}"
    name, tip = (
        escape(messages.printable(text)) for text in (label[:32], event.text())
    )  # XML has no control characters
    return (
        f'<g><title>{tip}</title><text x="{_LEFT - 8}" y="{y + 14}" font-size="12" text-anchor="end" fill="#222222">'
        f'{name}</text><rect x="{x:.1f}" y="{y + 2}" width="{max(event.seconds * scale, 2):.1f}" height="{_ROW - 6}" '
        f'rx="2" fill="{_COLOURS[event.event]}"/><text x="{x + event.seconds * scale + 5:.1f}" y="{y + 14}" '
        f'font-size="11" fill="#555555">{event.event} {event.seconds:.2f} s</text></g>'
    )


def _axis(span: float, scale: float, height: int) -> list[str]:
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600) if span / step <= 8), span / 8)
    ticks = [step * number for number in range(int(span / step) + 1)]
    return [
        f'<line x1="{_LEFT + tick * scale:.1f}" x2="{_LEFT + tick * scale:.1f}" y1="34" y2="{height - 24}" '
        f'stroke="#dddddd"/><text x="{_LEFT + tick * scale:.1f}" y="{height - 8}" font-size="11" text-anchor="middle" '
        f'fill="#555555">{tick:g} s</text>'
        for tick in ticks
    ]
