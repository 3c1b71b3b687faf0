#!/usr/bin/env python3
"""Code that the documentation quotes, in a block behind `<!-- from PATH -->`, stands so in that file; a page and its
translation have the same code, chapter by chapter; what a link names of a page is one of its headings."""

import glob
import os
import re
import sys

SOURCE = os.path.abspath(os.environ["NORMA_SOURCE"])
BLOCK = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
passed = failed = 0


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def is_quoted(text, path):
    """Whole lines of it, in one piece."""
    return ("\n" + text + "\n") in "\n" + read(path)


def claim(text, holds, why=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print("FAILED: %s\n%s" % (text, why))


# ---- Pages ----

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)


def without_blocks(text):
    return FENCED.sub("", text)


def slug(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links_of(text):
    return [re.sub(r"\s+", "", link) for link in re.findall(r"\]\(([^)]+)\)", without_blocks(text))]


def chapters(text):
    """Of each: how deep its heading is, its blocks, what stands in backticks, its rows of tables, its links' files."""
    found = []
    places = [match.start() for match in HEADING.finditer(FENCED.sub(lambda m: "." * len(m.group(0)), text))]
    for begin, end in zip(places, places[1:] + [len(text)]):
        part = text[begin:end]
        plain = without_blocks(part)
        found.append({
            "depth of the heading": len(HEADING.match(part).group(1)),
            "blocks": FENCED.findall(part),
            "code": sorted({re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", plain)}),
            "rows of tables": len(re.findall(r"^\|", plain, re.MULTILINE)),
            "links": sorted({os.path.basename(link.split("#")[0]) for link in links_of(part)})})
    return found


def differences(page, other):
    """Of two pages' chapters, in words."""
    if len(page) != len(other):
        return ["%d chapters and %d" % (len(page), len(other))]
    return ["chapter %d, %s: %s" % (i + 1, what, told_apart(one[what], two[what]))
            for i, (one, two) in enumerate(zip(page, other)) for what in one if one[what] != two[what]]


def told_apart(one, two):
    if not isinstance(one, list) or sorted(one) == sorted(two):
        return "%s and %s" % (one, two)
    return "the first alone has %s, the second %s" % ([x for x in one if x not in two], [x for x in two if x not in one])


quoted = 0
for page in sorted(glob.glob(os.path.join(SOURCE, "docs/**/*.md"), recursive=True)):
    name = os.path.relpath(page, SOURCE)
    text = read(name)
    found = BLOCK.findall(text)
    claim("%s: each excerpt is a block" % name, len(found) == text.count("<!-- from "))
    for path, code in found:
        quoted += 1
        claim("%s quotes %s as it is:\n%s" % (name, path, code),
              os.path.exists(os.path.join(SOURCE, path)) and is_quoted(code, path))
        claim("%s: a changed line would be noticed" % path, not is_quoted(code + " ", path))
claim("something is quoted", quoted > 10)
for code in re.findall(r"^```(?:c|yaml)\n(.*?)\n```$", read("README.ko.md"), re.DOTALL | re.MULTILINE):
    claim("README.ko.md has the code of README.md:\n" + code, is_quoted(code, "README.md"))

# ---- Translations ----

english, korean = read("docs/guide.md"), read("docs/ko/guide.md")
found = differences(chapters(english), chapters(korean))
claim("docs/ko/guide.md has the chapters, code, tables and links of docs/guide.md", not found, "\n".join(found))
for what, old, new in [("a line of a file", "batch_norm, relu, dense", "relu, batch_norm, dense"),
                       ("an option", "`--folds 5` ", "`--fold 5` "),
                       ("a row of a table", "| `covariate_shift` |", "`covariate_shift` |"),
                       ("a heading", "\n## ", "\n### "), ("a chapter", "\n## ", "\n")]:
    claim("a translation without %s would be noticed" % what,
          old in english and differences(chapters(english.replace(old, new, 1)), chapters(korean)))

# ---- Headings that links name ----

for page in sorted(glob.glob(os.path.join(SOURCE, "*.md")) + glob.glob(os.path.join(SOURCE, "docs/**/*.md"), recursive=True)):
    name = os.path.relpath(page, SOURCE)
    for link in links_of(read(name)):
        path, mark, heading = link.partition("#")
        whole = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if mark and ":" not in path and whole.endswith(".md") and os.path.exists(whole):
            slugs = {slug(text) for _, text in HEADING.findall(without_blocks(read(os.path.relpath(whole, SOURCE))))}
            claim("%s: %s is a heading" % (name, link), heading in slugs, str(sorted(slugs)[:40]))

print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (100 * passed // (passed + failed), passed + failed, failed))
sys.exit(failed > 0)
