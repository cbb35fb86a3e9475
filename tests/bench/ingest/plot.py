"""Two kinds of plots as SVG, enough for the benchmark's report."""

FONT = 'font-family="sans-serif" font-size="13"'
COLOURS = {"ours": "#2b6cb0", "durable": "#718096", "not durable": "#cbd5e0", "limit": "#c05621"}
LINES = ("#2b6cb0", "#c05621", "#718096", "#2f855a")


def _escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(x, y, text, anchor="start", extra=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {FONT} {extra}>{_escape(text)}</text>'


def _page(width, height, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                      f'height="{height}">', f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def bars(title, unit, rows):
    """Horizontal bars. `rows`: [(label, kind, median, least, most)], kind one of COLOURS' keys."""
    width, left, top, step = 860, 330, 50, 26
    most = max(row[4] for row in rows) or 1
    scale = (width - left - 110) / most
    parts = [_text(16, 26, title, extra='font-weight="bold"')]
    for index, (label, kind, median, low, high) in enumerate(rows):
        y = top + index * step
        parts.append(_text(left - 8, y + 14, label, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{max(1, median * scale):.1f}" height="18" fill="{COLOURS[kind]}"/>')
        parts.append(f'<line x1="{left + low * scale:.1f}" x2="{left + high * scale:.1f}" y1="{y + 9}" y2="{y + 9}" '
                     'stroke="black" stroke-width="1.5"/>')
        parts.append(_text(left + high * scale + 8, y + 14, f"{median:,.0f}"))
    y = top + len(rows) * step + 20
    parts.append(_text(left, y, f"{unit}; median, and least to most of all repetitions"))
    for index, kind in enumerate(dict.fromkeys(row[1] for row in rows)):
        names = {"ours": "corefleet, durable", "durable": "peer, made durable", "not durable": "peer, not durable",
                 "limit": "the machine"}
        parts.append(f'<rect x="{16 + index * 190}" y="{y + 14}" width="14" height="14" fill="{COLOURS[kind]}"/>')
        parts.append(_text(36 + index * 190, y + 26, names[kind]))
    return _page(width, y + 44, parts)


def lines(title, x_name, y_name, series, bands=()):
    """Curves over words or numbers that stand side by side, in order. `series`: {name: {x: y}}, all x in the order of the
    longest; `bands`: [(y, name)] dashed lines across."""
    width, height, left, right, top, bottom = 760, 420, 80, 200, 70, 60
    names = list(max(series.values(), key=len))
    most_y = 1.1 * max([y for each in series.values() for y in each.values()] + [y for y, _ in bands]) or 1

    def place(x, y):
        return left + (x + 0.5) / len(names) * (width - left - right), height - bottom - y / most_y * (height - top - bottom)

    parts = [_text(16, 26, title, extra='font-weight="bold"')]
    for part in range(5):
        y = place(0, most_y * part / 4)[1]
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>')
        parts.append(_text(left - 8, y + 4, f"{most_y * part / 4:,.{0 if most_y > 20 else 1}f}", "end"))
    for index, name in enumerate(names):
        parts.append(_text(place(index, 0)[0], height - bottom + 20, name, "middle"))
    parts.append(_text((left + width - right) / 2, height - 16, x_name, "middle"))
    parts.append(_text(16, 44, y_name))
    for value, name in bands:
        y = place(0, value)[1]
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="black" stroke-dasharray="5 4"/>')
        parts.append(_text(width - right + 8, y + 4, name))
    for index, (name, each) in enumerate(series.items()):
        colour = LINES[index % len(LINES)]
        points = [place(names.index(x), y) for x, y in each.items()]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        for x, y in points:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
        parts.append(f'<rect x="{width - right + 8}" y="{top + 20 * index}" width="14" height="14" fill="{colour}"/>')
        parts.append(_text(width - right + 28, top + 12 + 20 * index, name))
    return _page(width, height, parts)
