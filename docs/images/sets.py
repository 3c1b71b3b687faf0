"""Draws sets.svg: which values of images are normalized together. Three samples, each with its
channels from left to right and its places from top to bottom; one set is filled.

    python3 docs/images/sets.py
"""

import os

SAMPLES, PLACES, CHANNELS, SIZE = 3, 4, 6, 11
MEMBERS = [
    ("batch norm", "a channel, all samples", lambda s, p, c: c == 2),
    ("layer norm", "a place of a sample", lambda s, p, c: s == 1 and p == 1),
    ("layer norm, axis: 1", "a sample", lambda s, p, c: s == 1),
    ("instance norm", "a channel of a sample", lambda s, p, c: s == 1 and c == 2),
    ("group norm, groups: 2", "channels of a sample", lambda s, p, c: s == 1 and c < 3),
    ("batch norm, weights", "without padded places",
     lambda s, p, c: c == 2 and p < (4, 2, 3)[s]),
]
STYLE = ("text{fill:#495057}.head{font-weight:600;font-size:14px}"
         "rect{fill:none;stroke:#adb5bd;stroke-width:.8}.set{fill:#d9480f}"
         "@media (prefers-color-scheme:dark){text{fill:#ced4da}rect{stroke:#495057}"
         ".set{fill:#ffa94d}}")


def member(left, top, title, words, is_in):
    yield '<text class="head" x="%d" y="%d">%s</text>' % (left, top, title)
    yield '<text x="%d" y="%d">%s</text>' % (left, top + 17, words)
    for s in range(SAMPLES):
        for p in range(PLACES):
            for c in range(CHANNELS):
                x = left + s * (CHANNELS + 1) * SIZE + c * SIZE
                y = top + 28 + p * SIZE
                kind = ' class="set"' if is_in(s, p, c) else ""
                yield '<rect%s x="%d" y="%d" width="%d" height="%d"/>' % (kind, x, y, SIZE, SIZE)


def draw():
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 220" '
             'font-family="sans-serif" font-size="12">', "<style>%s</style>" % STYLE]
    for i, (title, words, is_in) in enumerate(MEMBERS):
        lines += member(20 + i % 3 * 262, 26 + i // 3 * 106, title, words, is_in)
    return "\n".join(lines + ["</svg>", ""])


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sets.svg"), "w") as file:
    file.write(draw())
