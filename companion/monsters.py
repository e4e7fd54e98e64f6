"""Monsters in pairs, an outline and a furry painting: a folder of pictures of one's own making."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 256  # of a picture, in pixels
_INK = 30, 30, 50
_ABOVE, _BELOW = np.array([60, 200, 190]), np.array([120, 60, 170])  # the fur's two colours
_COLOURS = {
    "foot": (245, 150, 40),
    "horn": (250, 230, 170),
    "eye": (255, 255, 255),
    "pupil": _INK,
    "mouth": (150, 20, 50),
    "tooth": (255, 255, 245),
}


def save_folder(folder, train=34, validation=6):
    """Write pairs as 01.png, 02.png ... to source/train, target/train, source/val, target/val."""
    for i in range(1, train + validation + 1):
        part = "train" if i <= train else "val"
        for kind, picture in zip(("source", "target"), pair(i)):
            path = Path(folder, kind, part, f"{i:02}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)


def pair(seed):
    """Return one monster twice, as Pillow pictures of 256x256: its outline, and painted."""
    rng = np.random.default_rng(seed)
    parts = _parts(rng)
    return outline(parts), _painting(parts, rng)


def outline(parts):
    """Return a drawing in ink of parts [(name, points (n, 2) of a closed line)], as a picture.

    The later ones cover the earlier ones; a part by the name of "pupil" is filled.
    """
    image = Image.new("RGB", (SIDE, SIDE), "white")
    for name, points in parts:
        _fill(image, points, _INK if name == "pupil" else (255, 255, 255), width=7)
    return image


def disc(x, y, radius, flat=1.0, until=2 * np.pi):
    """Return the points (60, 2) of a circle, flattened by a factor, or of its lower half: pi."""
    angle = np.linspace(0, until, 60)
    return np.stack([x + radius * np.cos(angle), y + flat * radius * np.sin(angle)], axis=1)


def _parts(rng):
    draw = rng.uniform
    wide, high, x, y = draw(54, 78), draw(58, 80), draw(120, 136), draw(134, 146)
    angle = np.linspace(0, 2 * np.pi, 120)
    lumps = 1 + sum(draw(-0.07, 0.07) * np.cos(k * angle + draw(0, 6)) for k in (2, 3, 4))
    body = np.stack([x + wide * lumps * np.cos(angle), y + high * lumps * np.sin(angle)], axis=1)
    parts = [
        ("foot", disc(x + side * draw(0.4, 0.6) * wide, body[:, 1].max() - 2, draw(20, 28), 0.55))
        for side in (-1, 1)
    ]
    for side in rng.permutation([-1, 0, 1])[: rng.integers(1, 4)]:
        foot, half, top = x + 0.45 * side * wide, draw(10, 15), body[:, 1].min() - draw(16, 38)
        tip = x + side * wide * draw(0.6, 1), max(8, top)
        parts.append(
            ("horn", [(foot - half, y - 0.75 * high), tip, (foot + half, y - 0.75 * high)])
        )
    parts.append(("body", body))
    eyes = rng.integers(1, 4)
    radius = [26, 20, 15][eyes - 1] * draw(0.85, 1.15)
    for i in range(eyes):
        eye = x + (i - (eyes - 1) / 2) * 2.3 * radius, y - 0.3 * high + draw(-5, 5)
        parts.append(("eye", disc(*eye, radius)))
        parts.append(("pupil", disc(*(eye + draw(-0.3, 0.3, 2) * radius), 0.4 * radius)))
    gape, lip = wide * draw(0.45, 0.65), y + 0.25 * high
    parts.append(("mouth", disc(x, lip, gape, draw(0.6, 1), until=np.pi)))
    for _ in range(rng.integers(1, 4)):
        tooth = x + draw(-0.6, 0.6) * gape
        parts.append(("tooth", [(tooth - 8, lip), (tooth, lip + 16), (tooth + 8, lip)]))
    return [(name, np.array(points)) for name, points in parts]


def _painting(parts, rng):
    down = np.linspace(0, 1, SIDE)[:, None, None]
    sky = np.array([255, 245, 215]) + down * [-60, -25, 35]
    image = Image.fromarray(np.broadcast_to(sky, (SIDE, SIDE, 3)).astype("uint8"))
    feet = np.concatenate([points for name, points in parts if name == "foot"])
    (left, _), (right, floor) = feet.min(axis=0), feet.max(axis=0)
    shadow = left - 25, floor - 18, right + 25, floor + 6
    ImageDraw.Draw(image).ellipse(shadow, fill=(165, 175, 220))
    for name, points in parts:
        if name == "body":
            _fur(image, points, rng)
            continue
        _fill(image, points, _COLOURS[name], width=4)
        middle, size = points.mean(axis=0), np.ptp(points[:, 0])
        if name == "pupil":
            _fill(image, disc(*(middle + [0.1 * size, -0.2 * size]), 0.18 * size), (255, 255, 255))
        if name == "mouth":
            _fill(
                image, disc(middle[0], points[:, 1].max() - 11, 0.22 * size, 0.5), (240, 100, 120)
            )
    return image


def _fur(image, body, rng):
    middle, top, height = body.mean(axis=0), body[:, 1].min(), np.ptp(body[:, 1])
    roots = middle + (body[rng.integers(len(body), size=2600)] - middle) * np.sqrt(
        rng.uniform(0, 1, (2600, 1))
    )
    draw = ImageDraw.Draw(image)
    draw.polygon([*map(tuple, body)], fill=tuple(map(int, (_ABOVE + _BELOW) / 2)))
    for root in roots[np.argsort(-np.linalg.norm(roots - middle, axis=1))]:
        share = np.clip((root[1] - top) / height, 0, 1)
        colour = (1 - share) * _ABOVE + share * _BELOW + rng.choice([-30, 0, 30])
        away = (root - middle) / (np.linalg.norm(root - middle) + 1)
        hair = [tuple(root), tuple(root + 11 * away + [0, 4])]
        draw.line(hair, fill=tuple(map(int, np.clip(colour, 0, 255))), width=4)


def _fill(image, points, colour, width=0):
    draw, points = ImageDraw.Draw(image), [*map(tuple, points)]
    draw.polygon(points, fill=colour)
    if width:
        draw.line([*points, *points[:2]], fill=_INK, width=width, joint="curve")
