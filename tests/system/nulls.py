#!/usr/bin/env python3
"""Every public function takes the NULL that a failed call returned, and numbers that are out of range.

Makes the list of public functions from norma.h, and from it a program that calls each: with all
pointers NULL, and with each of them NULL in turn; with an error standing in the context, and
without. Then with each number negative, each enum and each shape's rank out of range. No call may crash, put another error in the place of the one that stands, give success where
what it works on is NULL, or fail without a message. What other arguments are, nulls.h says by their
types: a type that is not there fails the test.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ["NORMA_SOURCE"]
BUILD = os.environ["NORMA_BUILD"]

# Numbers and enums: any will do. Structs by value are taken as zeros, unless nulls.h has them.
NUMBER = re.compile(r"(unsigned|double|size_t|int|u?int(32|64)_t|bool|_Bool)$")

# Whose business is the standing error.
CHANGES_THE_ERROR = {"nm_context_clear_error", "nm_fail_in", "nm_fail_at", "nm_diagnose_standing"}
# NULL is an answer of theirs like any other: names and texts, a module's first question, a shape.
ENDS_THE_CONTEXT = {"nm_context_destroy", "nm_close"}
# With nothing at all they still have something to do or to say; each says so in its header.
FINE_WITH_NOTHING = {
    "nm_context_create", "nm_open", "nm_file_title", "nm_kind_name", "nm_dtype_name", "nm_version",
    "nm_status_name", "nm_context_error", "nm_schema_class_name", "nm_schema_input_name", "nm_metric_label",
    "nm_tensor_shape", "nm_model_input", "nm_model_output",
}


def preprocessed():
    """norma.h and all it includes, as the compiler sees it."""
    command = shlex.split(os.environ.get("CC", "cc")) + [
        "-std=c11", "-E", "-P", "-I" + SOURCE, os.path.join(SOURCE, "norma.h")]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return re.sub(r"__attribute__\s*\(\(format\(printf, \d+, \d+\)\)\)", "", text)


PUBLIC = re.compile(
    r'__attribute__\(\(visibility\("default"\)\)\)\s+([^;{=]*?)\b(nm_\w+)\s*\(([^;{]*)\)\s*'
    r";")


def split(parameters):
    """The parameters, commas within parentheses left alone."""
    parts, depth = [""], 0
    for letter in parameters:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [re.sub(r"\s+", " ", part).strip() for part in parts]


def type_of(parameter):
    """"const char *name" is of type "const char *"; arrays and functions are pointers."""
    if parameter == "...":
        return "..."
    if "(*" in parameter:
        return "function *"
    array = re.match(r"(.*?)\w+\[\w*\]$", parameter)
    if array:
        return array.group(1).strip() + " *"
    return re.sub(r"\b\w+$", "", parameter).strip()


def functions():
    """(name, type of the result, types of the parameters) of each."""
    found = []
    for result, name, parameters in PUBLIC.findall(preprocessed()):
        types = [type_of(p) for p in split(parameters)] if parameters.strip() != "void" else []
        found.append((name, re.sub(r"\s+", " ", result).strip(), types))
    return found


def exported():
    """What the library has for programs, data left out."""
    listed = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, "libnorma.so")],
                            check=True, stdout=subprocess.PIPE).stdout.decode()
    names = {line.split()[2] for line in listed.splitlines() if line.split()[1] in "TtWw"}
    return {name for name in names if not name.startswith("__")}  # what the system asks for, as sanitizers do


def of_the_command():
    """Functions that the library exports for the command's library alone."""
    found = set()
    for floor in ("core", "ops", "optim", "models"):
        for folder, _, names in os.walk(os.path.join(SOURCE, floor)):
            for name in names:
                if name.endswith(".h"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        found.update(re.findall(r"^NM_COMMAND_API [^;{]*?\b(nm_\w+)\(", file.read(),
                                                re.M))
    return found


def fixtures():
    """The values of nulls.h: "/* TYPE */ value," rows between two marks."""
    with open(os.path.join(HERE, "nulls.h"), encoding="utf-8") as file:
        return dict(re.findall(r"^ \* ([\w ]+(?: \*+(?:const \*)?)?): (.+)$", file.read(), re.M))


def is_pointer(kind):
    return kind.endswith("*") or kind.endswith("_fn")


def value(kind, given):
    """A value of the type for a call; None: nothing is known of it."""
    if kind in given:
        return given[kind]
    if kind == "...":
        return '"text"'
    if NUMBER.match(kind):
        return "1"
    if re.match(r"nm_\w+$", kind) and not is_pointer(kind):
        return f"({kind}){{0}}"
    if re.match(r"(const )?nm_\w+_options \*$", kind):
        return f"&({empty_type(kind)}){{0}}"
    return None


# What no number, index, count, enum or shape is. (A count above what an array holds cannot be seen.)
OUT_OF_RANGE = {
    "int": ["-1", "INT32_MIN"], "int64_t": ["-1", "INT64_MIN"],
    "nm_shape": ["(nm_shape){.rank = 100}", "(nm_shape){.rank = -3}", "(nm_shape){.rank = 1, .dim = {-1}}"],
    "const nm_shape *": ["&(nm_shape){.rank = 100}", "&(nm_shape){.rank = -3}"],
    **{enum: [f"({enum})77", f"({enum})-1"] for enum in (
        "nm_dtype", "nm_kind", "nm_role", "nm_purpose", "nm_activation", "nm_set", "nm_status",
        "nm_log_level")},
}


def call(function, nulls, given, empty=None, other=None):
    """The source of one call with NULL at those places, an empty struct at one, another value at one."""
    name, result, types = function
    arguments = ["NULL" if i in nulls else value(t, given) for i, t in enumerate(types)]
    if other:
        arguments[other[0]] = other[1]
    if empty is not None:
        arguments[empty] = f"&({empty_type(types[empty])}){{0}}"
    text = f"{name}({', '.join(arguments)})"
    if types[:1] and types[-1] == "va_list":
        text = f"with_list({arguments[0]}, {arguments[2]})"
    has_context = types[:1] and types[0].replace("const ", "") in HANDLES and 0 not in nulls
    wrong = {"nm_status": f"{text} == NM_OK"}.get(result)
    if result.endswith("*"):
        wrong = f"{text} != NULL"
    nothing = all(i in nulls for i, t in enumerate(types) if is_pointer(t))
    kind = "STATUS" if result == "nm_status" else "CALL"
    if nothing and nulls and wrong and name not in FINE_WITH_NOTHING:
        kind, text = "MUST_FAIL", wrong
    flags = [name not in CHANGES_THE_ERROR | ENDS_THE_CONTEXT, bool(has_context)]
    places = ", ".join("NULL" if i in nulls else "empty" if i == empty
                       else other[1] if other and i == other[0] else "_" for i in range(len(types)))
    return (f'    {kind}("{name}({places})", {int(flags[0])}, {int(flags[1])}, {text});'
            if kind != "CALL" else
            f'    CALL("{name}({places})", {int(flags[0])}, {int(flags[1])}, (void){text});')


# Choices of another kind than a loss.
CHOICES = {
    "nm_dataset_open": "&data_options.train",
    "nm_metric_type_of": "choices.at", "nm_metric_label": "choices.at", "nm_metric_check": "choices.at",
    "nm_optimizer_create": "&nm_sgd(.rate = 0.1)",
    "nm_initialize": "&(nm_choice){.item = &nm_initializer_he.item}",
    "nm_schedule_begin": "&(nm_choice){.item = &nm_schedule_cosine.item}",
}
# Called by ops alone, with what the engine gives them, and so often that a look costs.
BY_OPS = {"nm_elementwise"}
# From which a call knows its context, where one is its first argument.
HANDLES = {"nm_context *", "nm_tape *", "nm_store *", "nm_model *", "nm_trainer *", "nm_loader *",
           "nm_optimizer *", "nm_predictor *", "nm_tensor_writer *", "nm_file *", "nm_document *",
           "nm_map *", "nm_tensor *", "nm_layer *", "nm_schema *"}


# Structs that a failed call leaves empty, or that a program began and did not fill.
EMPTY = {"nm_dataset", "nm_data", "nm_loss", "nm_metric", "nm_saved", "nm_config", "nm_batch",
         "nm_schedule", "nm_choice", "nm_choices", "nm_pass", "nm_layers", "nm_trainer_setup",
         "nm_evaluator", "nm_data_options", "nm_loader_options", "nm_from", "nm_diagnostics",
         "nm_random", "nm_description", "nm_reading", "nm_taken", "nm_group", "nm_shape",
         "nm_warmup", "nm_config_how", "nm_model_options"}


def empty_type(kind):
    """"nm_loss" of "const nm_loss *"."""
    return kind.replace("const ", "").replace(" *", "")


# What gives back what such a struct has.
CLOSES = {"nm_dataset": "nm_dataset_close", "nm_data": "nm_data_close", "nm_loss": "nm_loss_end",
          "nm_metric": "nm_metric_end", "nm_saved": "nm_saved_close",
          "nm_config": "nm_config_close"}


def opening(function, nulls, given):
    """A call that cannot succeed, into structs that hold anything, and their closing."""
    name, _, types = function
    outs = [i for i, t in enumerate(types) if empty_type(t) in CLOSES and "const" not in t]
    if not outs or not re.search("_(open|begin|split)", name):
        return []
    things = "".join(f"{empty_type(types[i])} t{i}; memset(&t{i}, 0xaa, sizeof t{i}); "
                     for i in outs)
    arguments = [f"&t{i}" if i in outs else "NULL" if i in nulls else value(t, given)
                 for i, t in enumerate(types)]
    closing = "".join(f"{CLOSES[empty_type(types[i])]}(&t{i}); " for i in outs)
    return [f'    CALL("{name}() into anything", 1, 0, {things}{name}({", ".join(arguments)}); '
            f"{closing});"]


def program(listed, given):
    """The whole program."""
    calls = []
    for function in [f for f in listed if f[0] not in BY_OPS]:
        given["const nm_choice *"] = CHOICES.get(function[0], "&choice")
        pointers = [i for i, t in enumerate(function[2]) if is_pointer(t)]
        sets = [set(pointers)] + ([{i} for i in pointers] if len(pointers) > 1 else [])
        calls += [call(function, nulls, given) for nulls in sets]
        calls += [line for nulls in sets for line in opening(function, nulls, given)]
        calls += [call(function, set(), given, i) for i, t in enumerate(function[2])
                  if empty_type(t) in EMPTY and is_pointer(t)]
        calls += [call(function, set(), given, None, (i, odd)) for i, t in enumerate(function[2])
                  for odd in OUT_OF_RANGE.get(t, [])]
    return '#include "nulls.h"\n\nvoid call_all(void)\n{\n' + "\n".join(calls) + "\n}\n"


def main():
    listed, given, there = functions(), fixtures(), exported()
    failures, checks = [], 0
    missing = there - {name for name, _, _ in listed} - of_the_command()
    if missing or len(listed) < 350:
        failures.append(f"of the exported functions, {sorted(missing)} are not found in norma.h")
    failures += [f"{name} is public, but the library has it not"
                 for name, _, _ in listed if name not in there]
    for name, _, types in listed:
        failures += [f"{name}: nothing is known of the type {t}; nulls.h says what to call it with"
                     for t in types if value(t, given) is None]
    if not failures:
        with tempfile.TemporaryDirectory(prefix="norma-nulls-") as folder:
            with open(os.path.join(folder, "calls.c"), "w", encoding="utf-8") as file:
                file.write(program(listed, given))
            link = shlex.split(os.environ.get("NORMA_LINK", ""))
            command = shlex.split(os.environ.get("CC", "cc")) + [
                "-std=gnu11", "-w", "-g", "-DEND_CHILD=" + ("exit" if "--coverage" in link else "_exit"),
                "-I" + SOURCE, "-I" + HERE, os.path.join(folder, "calls.c"), "-o",
                os.path.join(folder, "calls"), os.path.join(BUILD, "libnorma.so"), "-Wl,-rpath," + BUILD,
                *link]
            subprocess.run(command, check=True)
            ran = subprocess.run([os.path.join(folder, "calls"), folder], cwd=folder, timeout=900,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            lines = ran.stdout.decode(errors="replace").splitlines()
            checks = sum(int(line.split()[1]) for line in lines if line.startswith("calls "))
            failures += [line for line in lines if not line.startswith("calls ")]
            if ran.returncode or not checks:
                failures.append(f"the program ended with {ran.returncode}")
    print("\n".join(f"FAILED: {failure}" for failure in failures))
    total = checks + len(failures)
    print(f"{checks * 100 // total}%: Checks: {total}, Failures: {len(failures)}, Errors: 0")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
