"""Draws the loss curve of a run (loss.csv) as a plain SVG, without a plotting package."""

import argparse
import csv
import math
from pathlib import Path

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 28, 44
SERIES = (("train_loss", "training mixture", "#888888"),
          ("val_stories", "held-out TinyStories", "#1f6fb4"),
          ("val_tales", "fairytales_val", "#c0552b"))


class Axes:
    def __init__(self, x_max, y_min, y_max):
        self.x_max, self.y_min, self.y_max = x_max, y_min, y_max

    def x(self, value):
        return LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (value - self.y_min) / (self.y_max - self.y_min)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def text(x, y, content, anchor="start", colour="#333333"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
            f"{content}</text>")


def grid(axes):
    lines = []
    for i in range(math.ceil(axes.y_min * 2), math.floor(axes.y_max * 2) + 1):
        y = axes.y(i / 2)
        lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        lines.append(text(LEFT - 8, y + 4, f"{i / 2:.1f}", "end"))
    step = max(1, round(axes.x_max / 8))
    for i in range(0, math.floor(axes.x_max) + 1, step):
        lines.append(text(axes.x(i), HEIGHT - BOTTOM + 18, str(i), "middle"))
    lines.append(text((LEFT + WIDTH) / 2, HEIGHT - 8, "training tokens, millions", "middle"))
    lines.append(text(LEFT, TOP - 12, "loss, nats a token"))
    return lines


def curves(axes, rows):
    lines = []
    for i, (column, label, colour) in enumerate(SERIES):
        points = " ".join(f"{axes.x(r['tokens'] / 1e6):.1f},{axes.y(r[column]):.1f}" for r in rows)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                     'stroke-width="1.6"/>')
        lines.append(text(WIDTH - RIGHT - 8, TOP + 16 + 18 * i, label, "end", colour))
    return lines


def draw(rows):
    values = [row[column] for row in rows for column, _, _ in SERIES]
    axes = Axes(rows[-1]["tokens"] / 1e6, math.floor(min(values) * 2) / 2,
                math.ceil(max(values) * 2) / 2)
    body = "\n".join(grid(axes) + curves(axes, rows))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--svg", type=Path, required=True)
    args = parser.parse_args()
    with args.csv.open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    args.svg.write_text(draw(rows))


if __name__ == "__main__":
    main()
