#!/usr/bin/env python3
"""Makes man pages of section 3 from the headers: one for each header, and a small one that leads there for each
function of it; and norma.3, which lists them. So what a page says is what the header says.

usage: man.py VERSION SOURCE FOLDER HEADER...    writes the pages into FOLDER
       man.py --names SOURCE HEADER...           prints their names, one a line
"""

import os
import re
import sys

INTRO = r""".SH SYNOPSIS
.nf
.B #include <norma.h>
.PP
cc program.c $(pkg\-config \-\-cflags \-\-libs norma)
.fi
.SH DESCRIPTION
Norma is a small autodiff framework. A program opens a context
.RB ( nm_open (3)),
makes tensors and a tape
.RB ( nm_tape_create (3)),
calls ops on it, and asks for gradients
.RB ( nm_backward (3)).
.PP
Errors stand: what fails returns NULL or a status other than NM_OK, and the context keeps the first error with its
text. Every function takes the NULL that a failed one returned, so a chain of calls needs one check at its end:
.BR nm_context_status (3)
and
.BR nm_context_error (3).
Nothing is printed, and no mistake ends the process.
.PP
Options are given by name, behind the arguments: nm_softmax(tape, x, .axis = 0). What is left out has its default.
.PP
Tensors that ops return belong to the tape; what a program makes by nm_..._create() or nm_..._open() it gives back by
nm_..._destroy() or nm_..._close().
.SH PAGES
Each function has a page of its own name, which is that of its header:
"""


def escape(text):
    """Plain text, for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


# ---- What a header is made of ----

def for_c(text):
    """Without what is for C++, the guard and the includes."""
    lines, kept, skipping = [], [], False
    for line in text.splitlines():
        if re.match(r"#\s*if", line):
            kept.append("__cplusplus" in line)
            skipping = skipping or bool(re.match(r"#\s*ifdef __cplusplus", line))
            if kept[-1]:
                continue
        elif re.match(r"#\s*else", line) and kept and kept[-1]:
            skipping = not skipping
            continue
        elif re.match(r"#\s*endif", line) and kept:
            was_ours = kept.pop()
            skipping = skipping and not was_ours
            if was_ours or not kept:
                continue
        if not skipping and not re.match(r"#\s*(include|ifndef NM\w*_H$|ifndef NORMA_H|define \w+_H$)", line):
            lines.append(line)
    return "\n".join(lines)


def without_calls(text, names):
    """Without those macros and their arguments."""
    for name in names:
        text = re.sub(r"\s*\b" + name + r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "", text)
    return text


def as_declarations(code):
    """The code as a user needs it: macros by their arguments."""
    needs = dict(re.findall(r"^#define (nm_\w+)_needs\(([^)]*)\)", code, re.M))
    code = re.sub(r"^#define nm_\w+(?:_needs|_)\([^)]*\)(?:.*\\\n)*.*\n?", "", code, flags=re.M)

    def macro(found):
        name = found.group(1)
        if name in needs:
            arguments = re.sub(r"\s+", " ", needs[name].replace("\\", ""))
            return f"{name}({re.sub('options$', '.option = value...', arguments)})"
        return name + found.group(2)

    code = re.sub(r"^#define (\w+)(\([^)]*\))(?:.*\\\n)*.*$", macro, code, flags=re.M)
    code = re.sub(r"^static inline ([^{};]*\))\n\{.*?^\}", r"\1;", code, flags=re.M | re.S)
    code = re.sub(r"NM_API [^;]*;", lambda one: one.group()[7:].replace("\n       ", "\n"), code)
    return without_calls(code, ["NM_DEFAULT", "NM_PRINTF"])


def blocks(text):
    """(comment, code) in the header's order; either may be empty. Comments within structs are code."""
    comment, code, depth = "", [], 0
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if depth == 0 and line.startswith("/*"):
            if comment or code:
                yield comment, "\n".join(code)
            comment, code = line, []
            while "*/" not in line:
                line = lines.pop(0)
                comment += "\n" + line
        elif depth == 0 and not line.strip():
            if comment or code:
                yield comment, "\n".join(code)
            comment, code = "", []
        else:
            depth += line.count("{") - line.count("}")
            code.append(line)
    if comment or code:
        yield comment, "\n".join(code)


def functions(text):
    """The names of what can be called, in the header's order."""
    found = re.findall(r"^NM_API [^;=]*?\b(nm_\w+)\(|^#define (nm_\w+)\(\.\.\.\)", text, re.M)
    names = [function or macro for function, macro in found]
    return list(dict.fromkeys(name for name in names if not name.endswith("_")))


# ---- Pages ----

def plain(comment):
    """A comment's text, and the title of the section that it begins, if it does."""
    text = re.sub(r"^ ?\*(?: |$)", "", comment.replace("*/", "")[2:].lstrip(" "), flags=re.M).rstrip()
    title = re.match(r"---- (.*?) ----\s*", text)
    return (text[title.end():], title.group(1)) if title else (text, "")


def paragraphs(text):
    """roff of a comment's text: what is indented is code."""
    out = []
    for part in re.split(r"\n\s*\n", text):
        if re.match(r"    ", part):
            out.append(".PP\n.nf\n" + escape(part) + "\n.fi")
        elif part.strip():
            out.append(".PP\n" + escape(part.strip()))
    return "\n".join(out)


def body(text):
    """roff of all that follows a header's first comment."""
    out = []
    for comment, code in blocks(text):
        said, title = plain(comment) if comment else ("", "")
        if title:
            out.append(".SH " + escape(title).upper())
        code = as_declarations(code).strip("\n")
        if code:
            out.append(".PP\n.nf\n\\fB" + escape(code) + "\\fR\n.fi")
        if said:
            out.append(".RS 4\n" + paragraphs(said) + "\n.RE" if code else paragraphs(said))
    return "\n".join(out)


def header_page(name, header, text, version):
    """The page of one header, and its first sentence."""
    first = re.match(r"\s*(/\*.*?\*/)", text, re.S).group(1)
    said = plain(first)[0]
    sentence = re.sub(r"\s+", " ", re.split(r"[.;](?:\s|$)", said)[0])
    names = ", ".join(functions(text)) or name
    page = [f'.TH {name.upper()} 3 "" "norma {version}" "Norma"', ".SH NAME",
            f"{escape(names)} \\- {escape(sentence)}",
            ".SH SYNOPSIS", ".B #include <norma.h>", ".PP", f"From {escape(header)}:",
            ".SH DESCRIPTION", paragraphs(said).replace(".PP\n", "", 1),
            body(for_c(text[text.index(first) + len(first):])), ".SH SEE ALSO", ".BR norma (3)"]
    return "\n".join(page) + "\n", sentence


def read_headers(source, headers):
    """(page, header, text) of those that declare something to call."""
    for header in headers:
        with open(os.path.join(source, header), encoding="utf-8") as file:
            text = file.read()
        if functions(text):
            yield "norma-" + header[:-2].replace("/", "-"), header, text


def pages(version, source, headers):
    """All of them: file name and text."""
    made, listed = {}, ""
    for name, header, text in read_headers(source, headers):
        made[name], sentence = header_page(name, header, text, version)
        listed += f".TP\n.BR {escape(name)} (3)\n{escape(sentence)}.\n"
        for function in functions(text):
            made[function] = f".so man3/{name}.3\n"
    made["norma"] = (f'.TH NORMA 3 "" "norma {version}" "Norma"\n.SH NAME\nnorma \\- a small autodiff framework\n'
                     + INTRO + listed + ".SH SEE ALSO\n.BR norma (1)\n")
    return made


def main():
    if sys.argv[1] == "--names":
        print("\n".join(name + ".3" for name in pages("", sys.argv[2], sys.argv[3:])))
        return
    version, source, folder = sys.argv[1:4]
    for name, text in pages(version, source, sys.argv[4:]).items():
        with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
