#!/usr/bin/env python3
"""Keeps what the studies found beside the text that tells of it, and puts it there, so that text and measurement
cannot part.

    docs/studies/fill.py take FOLDER...    keeps the results of `norma study`, from the folders that it left
    docs/studies/fill.py                   writes them into the text
    docs/studies/fill.py --check           fails where the text says something else, or a study claims something else

In the text, `<!-- study NAME -->` and `<!-- end -->` have the table of a study's claims between them, and
`<!--= NAME ARM MEASURE -->` and `<!-- -->` the mean of a measure (`%` behind it: as percent).
"""

import glob
import html
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TEXTS = ["docs/normalization.md", "docs/ko/normalization.md"]
TABLE = re.compile(r"(<!-- study (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"(<!--= (\w+) (\S+) (\w+)( %)? -->).*?(<!-- -->)", re.DOTALL)
NO_RESULT = "Not run in full for this text yet: `norma study %s` does it."
KOREAN_NO_RESULT = "이 글을 위해 아직 전부 실행하지 않았다. `norma study %s`로 실행한다."
HEADS = {"docs/normalization.md": ("claim", "verdict", "measured, and its interval of 95 %"),
         "docs/ko/normalization.md": ("주장(영문 원문)", "판정", "측정값과 95% 신뢰 구간")}
VERDICTS = {"supported": "지지됨", "not supported": "지지되지 않음", "undecided": "판정 불가"}


def stored(name):
    path = os.path.join(HERE, name + ".json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def rounded(value):
    return None if value is None else float("%.6g" % value)


def spread(values):
    known = [v for v in values if v is not None]
    if len(known) < len(values) or not known:
        return [None, None]
    mean = sum(known) / len(known)
    square = sum((v - mean) ** 2 for v in known) / max(1, len(known) - 1)
    return [rounded(mean), rounded(square ** 0.5)]


def kept(results):
    """What is kept of results.json."""
    numbers = ("of", "than", "value", "low", "high")
    return {"study": results["study"], "title": results["title"], "seeds": results["seeds"],
            "claims": [dict({key: claim[key] for key in ("claim", "source", "verdict", "compared_by")},
                            **{key: rounded(claim.get(key)) for key in numbers})
                       for claim in results["claims"]],
            "arms": {arm["arm"]: {name: spread(values) for name, values in arm["measures"].items()}
                     for arm in results["arms"]}}


def figures_of(name):
    """NAME.svg, NAME-2.svg, ..."""
    found = glob.glob(os.path.join(HERE, name + ".svg")) + glob.glob(os.path.join(HERE, name + "-[0-9].svg"))
    return sorted(found, key=lambda path: (len(path), path))


def take_figures(folder, name):
    """The page's figures, as files of their own."""
    with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
        page = file.read()
    style = re.search(r"<style>\n(.*?)\n\*\{", page, re.DOTALL)
    for old in figures_of(name):
        os.remove(old)
    for i, svg in enumerate(re.findall(r"<svg .*?</svg>", page, re.DOTALL)):
        whole = svg.replace(">", ">\n<style>%s\nsvg{background:var(--paper)}</style>" % style.group(1), 1)
        path = os.path.join(HERE, "%s%s.svg" % (name, "-%d" % (i + 1) if i else ""))
        with open(path, "w", encoding="utf-8") as file:
            file.write(whole + "\n")


def take(folders):
    for folder in folders:
        with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        if results["quick"]:
            sys.exit("%s: a quick run; its verdicts are not the study's" % folder)
        with open(os.path.join(HERE, results["study"] + ".json"), "w", encoding="utf-8") as file:
            json.dump(kept(results), file, indent=1, ensure_ascii=False)
            file.write("\n")
        take_figures(folder, results["study"])


# ---- The text ----


def told(value):
    if value is None:
        return "none"
    text = "%.3g" % value
    return text if "e" not in text else "%s · 10^%d" % (text.split("e")[0], int(text.split("e")[1]))


def measured(claim, korean):
    if claim["value"] is None:
        return "비교할 값이 없음" if korean else "no number to compare"
    ratio = claim["compared_by"] == "ratio"
    sign = ("비" if ratio else "차이") if korean else "ratio" if ratio else "difference"
    form = "%s 대 %s, %s %s(%s ~ %s)" if korean else "%s against %s; %s %s (%s to %s)"
    return form % tuple(
        [told(claim["of"]), told(claim["than"]), sign] + [told(claim[key]) for key in ("value", "low", "high")])


def figure_title(path):
    with open(path, encoding="utf-8") as file:
        return html.unescape(re.search("<title[^>]*>(.*?)</title>", file.read(), re.DOTALL).group(1))


def table(name, path):
    results, korean = stored(name), "/ko/" in path
    if not results:
        return (KOREAN_NO_RESULT if korean else NO_RESULT) % name + "\n"
    lines = ["| %s | %s | %s |" % HEADS[path], "| --- | --- | --- |"]
    for claim in results["claims"]:
        verdict = VERDICTS[claim["verdict"]] if korean else claim["verdict"]
        lines.append("| %s | %s | %s |" % (claim["claim"], verdict, measured(claim, korean)))
    seeds = "시드 %d개." if korean else "%d seeds."
    lines += ["", seeds % results["seeds"], ""]
    for path in figures_of(name):
        figure = os.path.basename(path)
        lines += ["![%s](%sstudies/%s)" % (figure_title(path), "../" if korean else "", figure), ""]
    return "\n".join(lines)


def number(name, arm, measure, percent):
    results = stored(name)
    mean = results["arms"][arm][measure][0] if results else None
    if mean is None:
        return "(not run)"
    return "%.1f %%" % (100 * mean) if percent else told(mean)


def filled(text, path):
    text = TABLE.sub(lambda m: m.group(1) + table(m.group(2), path) + m.group(3), text)
    return NUMBER.sub(lambda m: m.group(1) + number(*m.groups()[1:5]) + m.group(6), text)


# ---- The studies ----


def claims_of(name):
    """The sentences of a study, as its file has them."""
    with open(os.path.join(ROOT, "models/studies", name + ".yaml"), encoding="utf-8") as file:
        found = re.findall(r"^  - claim: (.*)$", file.read(), re.MULTILINE)
    return [claim.strip('"') for claim in found]


def differences():
    for path in glob.glob(os.path.join(HERE, "*.json")):
        name = os.path.basename(path)[:-5]
        if [claim["claim"] for claim in stored(name)["claims"]] != claims_of(name):
            yield "docs/studies/%s.json is of other claims than models/studies/%s.yaml: run it again" % (name, name)
    for path in TEXTS:
        whole = os.path.join(ROOT, path)
        if os.path.exists(whole):
            with open(whole, encoding="utf-8") as file:
                text = file.read()
            if filled(text, path) != text:
                yield "%s says something else than docs/studies: run docs/studies/fill.py" % path
            told_of = set(re.findall(r"<!-- study (\w+) -->", text))
            for study in glob.glob(os.path.join(ROOT, "models/studies/*.yaml")):
                if os.path.basename(study)[:-5] not in told_of:
                    yield "%s does not tell of the study %s" % (path, os.path.basename(study)[:-5])


def write():
    for path in TEXTS:
        whole = os.path.join(ROOT, path)
        if os.path.exists(whole):
            with open(whole, encoding="utf-8") as file:
                text = file.read()
            with open(whole, "w", encoding="utf-8") as file:
                file.write(filled(text, path))


if sys.argv[1:2] == ["take"]:
    take(sys.argv[2:])
elif sys.argv[1:] == ["--check"]:
    found = list(differences())
    print("\n".join(found) if found else "The text says what the studies found.")
    sys.exit(1 if found else 0)
elif sys.argv[1:]:
    sys.exit(__doc__)
else:
    write()
