#!/bin/bash
# What packagers and users of the library get: a release build with the default options, installed
# into a folder of its own, and programs built against nothing but that folder.
. "$(dirname "$0")/claim.sh"
build=$NORMA_BUILD/tests/install
stage=$temporary/stage
prefix=$stage/usr/local
unset DESTDIR LD_LIBRARY_PATH

# ---- Build and install ----

build_and_install()
{
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" "$NORMA_SOURCE" --prefix=/usr/local --libdir=lib -Dtests=false &&
        ninja -C "$build" && DESTDIR=$stage meson install -C "$build" --no-rebuild
}
build_and_install >"$temporary/log" 2>&1 || {
    claim "a release build installs" "it fails:
$(grep -vE '^\[[0-9]+/[0-9]+\] [CG]' "$temporary/log")"
    finish
}
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$NORMA_SOURCE/meson.build" | head -1)

for file in lib/libnorma-command.so lib/libnorma-command.a lib/pkgconfig/norma-command.pc \
    include/norma/norma_command.h lib/libnorma.so lib/libnorma.so.0 "lib/libnorma.so.$version" lib/libnorma.a \
    lib/pkgconfig/norma.pc include/norma/norma.h include/norma/core/op.h include/norma/ops/ops.h \
    bin/norma share/man/man1/norma.1 share/bash-completion/completions/norma.bash \
    share/norma/zoo/spirals.yaml share/man/man3/norma.3 share/man/man3/nm_backward.3 \
    share/doc/norma/README.md share/doc/norma/docs/guide.md share/doc/norma/docs/examples/xor.c; do
    claim_runs "$file is installed" test -s "$prefix/$file"
done
claim "no installed file names the folder it was built in" \
    "$(found -rlF -e "$NORMA_SOURCE" -e "$NORMA_BUILD" "$stage")"

# ---- The shared library ----

ask dynamic readelf -d "$prefix/lib/libnorma.so"
claim_of dynamic "programs look for the library by its major version" \
    says 'SONAME.*\[libnorma\.so\.0\]'
ask exported nm -D --defined-only "$prefix/lib/libnorma.so"
undeclared() # a judge of a list of symbols
{
    {
        find "$prefix/include/norma" -name '*.h' -exec cat {} +
        grep -rh '^NM_COMMAND_API' "$NORMA_SOURCE/core" "$NORMA_SOURCE/ops" "$NORMA_SOURCE/optim" "$NORMA_SOURCE/models" --include='*.h'
    } | tr -cs 'A-Za-z0-9_' '\n' | sort -u >"$temporary/declared"
    awk '{print $3}' | sort | comm -23 - "$temporary/declared"
}
claim_of exported "all that is exported is declared in an installed header" undeclared
without_a_page() # a judge of the same list: functions that no man page declares, though a header does
{
    awk '$2 == "T" {print $3}' | while read -r name; do
        page=$prefix/share/man/man3/$name.3
        [ -e "$page" ] || ! grep -rqw "$name" "$prefix/include/norma" || echo "$name has no page"
        [ ! -e "$page" ] || grep -q "\\b$name(" "$prefix/share/man/$(sed -n 's|^\.so ||p' "$page")" ||
            echo "$name is not in its page"
    done
}
claim_of exported "each function has a man page" without_a_page
claim_of exported "there are functions" says ' T nm_backward$'
ask needed readelf -d "$prefix/lib/libnorma.so"
claim_of needed "it needs no library that is large, or may be missing: oneDNN is loaded late" \
    never_says 'NEEDED.*\[lib\(dnnl\|OpenCL\|stdc++\|tbb\)'
strip -o "$temporary/stripped" "$prefix/lib/libnorma.so"
ask size wc -c "$temporary/stripped"
# MB are 1024 KB of 1024 bytes, here as in README.
smaller_than()
{
    awk -v most="$1" '{ size = $1 } END { if (size < 100000 || size >= most) print "it has " size " bytes" }'
}
claim_of size "the stripped library is smaller than 1.5 MB" smaller_than $((1536 * 1024))

# ---- Documentation ----

cd "$prefix/share/doc/norma" || exit 1
claim "links of the documentation lead somewhere" "$(
    for file in *.md docs/*.md docs/ko/*.md docs/examples/*.md; do
        for link in $(grep -oE '\]\([^)#]+' "$file" | cut -c3- | grep -vE '^(https?|mailto):'); do
            [ -e "$(dirname "$file")/$link" ] || echo "$file: $link"
        done
    done)"
if command -v groff >/dev/null; then
    claim "man pages are well-formed" "$(cd "$prefix/share/man" && ls man3/norma*.3 >/dev/null &&
        for page in man3/norma*.3; do groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null; done ||
        echo "there are none")"
fi

# ---- Programs ----

# As a user has it: pkg-config finds the file, and looks for the rest where it was installed.
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage"
claim_runs "pkg-config finds the version" pkg-config --exact-version="$version" \
    "$prefix/lib/pkgconfig/norma.pc"
outside=$NORMA_SOURCE/tests/system/outside
program=$temporary/program
mkdir -p "$program/core" "$program/ops" "$program/subprojects"
cd "$program" || exit 1
cp "$outside"/* .
# A program's own headers may be called like ours.
for header in core/tensor.h core/context.h core/op.h ops/basic.h; do
    echo '#error "the header of the program, not of the library"' >"$header"
done
warnings="-Wall -Wextra -Wpedantic -Wconversion -Werror"

# builds_and_runs NAME LINE WHAT COMMAND...: the command makes ./NAME, which says the line.
builds_and_runs()
{
    claim_runs "$3 builds" "${@:4}"
    ask "$1" env LD_LIBRARY_PATH="$prefix/lib" "./$1"
    claim_of "$1" "$3 runs" says "^$2\$"
}

builds_and_runs shared '2 4 6' "a program with the shared library" \
    ${CC:-cc} -std=c11 $warnings -I. sum.c $(pkg-config --cflags --libs norma) -o shared
builds_and_runs own_ops '0.0284' "a program with ops of its own" \
    ${CC:-cc} -std=c11 $warnings -I. own_ops.c $(pkg-config --cflags --libs norma) -o own_ops
builds_and_runs left '3000 of 3000' "a program that unloads the library before its context is gone" \
    ${CC:-cc} -std=gnu11 $warnings left.c -ldl -o left
claim_runs "a program builds in C++" ${CXX:-c++} -std=c++17 $warnings -I. -x c++ -fsyntax-only \
    $(pkg-config --cflags norma) - <<'TEXT'
#include <norma.h>
int main() { return nm_status_name(NM_OK) == nullptr; }
TEXT

# What a small program costs: two steps of a tiny network and a thousand predictions.
builds_and_runs tiny 'trained' "a program with a tiny network" \
    ${CC:-cc} -std=gnu11 $warnings -I. tiny.c $(pkg-config --cflags --libs norma) -o tiny
other_libraries() # a judge of the lines "loads NAME"
{
    sed -n 's/^loads //p' | sort -u | grep -vE '^(lib(norma|c|m|yaml-0|z|pthread|dl|gcc_s)|ld-[a-z0-9_-]*)[-.0-9]*\.so|^ld-'
}
claim_of tiny "it loads libnorma, libc, and what they need, and no oneDNN" other_libraries
more_memory() # MOST, in KiB: a judge of the line "memory N"
{
    awk -v most="$1" '/^memory / { said = 1; if ($2 > most) print } END { if (!said) print "it does not say" }'
}
claim_of tiny "it takes less than 8 MB at its most" more_memory 8192

# The op that architecture.md shows, under another name.
{
    echo '#include <norma.h>'
    sed -n '/^NM_UNARY(relu/,/^```/{/^```/!p}' "$NORMA_SOURCE/docs/architecture.md" | sed 's/relu/ramp/g'
    cat <<'TEXT'
#include <stdio.h>
int main(void)
{
    nm_context *context = nm_open(NULL);
    nm_register_op(context, &nm_op_ramp);
    nm_register_op(context, &nm_op_ramp_grad);
    nm_check_op(context, "ramp", NULL);
    nm_check_op(context, "ramp_grad", NULL);
    printf("%s\n", nm_context_status(context) == NM_OK ? "right" : nm_context_error(context));
    nm_close(context);
}
TEXT
} >ramp.c
builds_and_runs ramp right "the op in architecture.md, outside of the library," \
    ${CC:-cc} -std=c11 $warnings ramp.c $(pkg-config --cflags --libs norma) -o ramp

# The first program of README, by the command that stands below it.
awk '$0 == "```c" { on = 1; next } /^```/ { on = 0 } on' "$NORMA_SOURCE/README.md" >program.c
command=$(sed -n 's/^`\(cc program\.c [^`]*\)`.*/\1/p' "$NORMA_SOURCE/README.md")
builds_and_runs a.out 'd loss / d x\[0\]\[0\] = .*' "README's program, by README's command," \
    sh -c "${command:-false}"

# ---- Programs with the static library, where it is alone ----

alone=$temporary/alone
cp -r "$stage" "$alone"
rm "$alone"/usr/local/lib/libnorma.so*
static="$(PKG_CONFIG_PATH=$alone/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$alone \
    pkg-config --static --cflags --libs norma)"
builds_and_runs static '2 4 6' "a program with the static library" \
    ${CC:-cc} -std=c11 $warnings -I. sum.c $static -o static
builds_and_runs static_ops '0.0284' "a program with it and ops of its own" \
    ${CC:-cc} -std=c11 $warnings -I. own_ops.c $static -o static_ops
ask linked ldd ./static_ops
claim_of linked "it holds the library" never_says libnorma

# ---- Builds by CMake ----

by_cmake() # FOLDER PREFIX
{
    CC=${CC:-cc} CFLAGS=$warnings cmake -G Ninja -S . -B "$1" -DCMAKE_PREFIX_PATH="$2" &&
        cmake --build "$1"
}

if command -v cmake >/dev/null; then
    claim_runs "find_package(norma) finds it" by_cmake cmake "$prefix"
    claim_runs "and where only the static library is" by_cmake cmake_static "$alone/usr/local"
    for made in cmake/sum cmake/sum_static cmake_static/sum; do
        ask made "./$made"
        claim_of made "$made runs" says '^2 4 6$'
    done
    for made in cmake cmake_static; do
        ask made "./$made/own_ops"
        claim_of made "$made/own_ops runs" says '^0.0284$'
    done
    sed -i 's/norma 0.1/norma 0.9/' CMakeLists.txt
    claim "another version is not what it finds" \
        "$(by_cmake newer "$prefix" 2>&1 | says "norma-config.cmake, version: $version")"
else
    echo "Not tried, for want of cmake: find_package(norma)"
fi

# ---- A subproject of Meson's: nothing of it but the library, whose headers are found. (./dev portable
# subproject builds it all.) ----

ln -s "$NORMA_SOURCE" subprojects/norma
subproject() # TWO OBJECTS
{
    PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR="$(pkg-config --variable pc_path pkg-config)" \
        meson setup subproject --force-fallback-for=norma && ninja -C subproject "$@" &&
        (cd subproject && test -s "$1" -a -s "$2")
}
claim_runs "programs compile with the subproject" subproject own_ops.p/own_ops.c.o sum.p/sum.c.o
ask targets meson introspect subproject --targets --indent
claim_of targets "the library is a target there" says '"name": "norma"'
claim_of targets "norma's command, examples and tests are not" \
    never_says '"name": "\(example_.*\|core_test_.*\|zoo\|completion\|hot_loops\)"'
claim_of targets "nor is a program called norma" never_says '"filename": ".*/norma/norma"'

# ---- The command as a library ----

ask command_symbols nm -D --defined-only "$prefix/lib/libnorma-command.so"
claim_of command_symbols "the command's library exports one function" \
    sh -c 'test "$(awk "{print \$3}")" = nm_main || echo "it exports others"'
cat >own.c <<'TEXT'
#include <norma_command.h>
#include <norma.h>

static nm_status init(nm_context *context)
{
    return nm_register_op(context, nm_find_op(context, "relu")); /* taken */
}

int main(int argc, char **argv)
{
    return nm_main(argc, argv, argc > 2 ? init : NULL);
}
TEXT
command_pc()
{
    pkg-config --define-variable=prefix="$prefix" "$@" norma-command
}
claim_runs "a program builds with the command" ${CC:-cc} -std=c11 $warnings -I. own.c \
    $(command_pc --cflags --libs) -o own
ask own env LD_LIBRARY_PATH="$prefix/lib" ./own version
claim_of own "and is the command" says "^norma $version "
ask failed_init env LD_LIBRARY_PATH="$prefix/lib" sh -c './own help relu; test $? = 2'
claim_of failed_init "what the program cannot register ends the command" says 'the op "relu" is registered already'
own_static=$(command_pc --cflags --libs --static | sed 's/-lnorma-command/-l:libnorma-command.a/; s/-lnorma /-l:libnorma.a /')
claim_runs "a program builds with the command's static library" ${CC:-cc} -std=c11 $warnings -I. own.c \
    $own_static -o own_static
ask own_static ./own_static version
claim_of own_static "and runs alone, too" says "^norma $version "

# ---- The command ----

ask version "$prefix/bin/norma" version
claim_of version "the command runs without the shared library, and tells the version" \
    says "^norma $version "

# ---- Plugins, begun by the command and built against what is installed ----

old_path=$PATH
PATH=$prefix/bin:$PATH
for kind in op layer; do
    claim_runs "norma new $kind writes a folder" norma new $kind "my_$kind"
    for file in my_$kind.c meson.build README.md net.yaml; do
        claim_runs "with $file" test -s "my_$kind/$file"
    done
    claim_runs "which builds and passes its check as it is" sh -c \
        "meson setup --werror my_$kind/build my_$kind && meson test -C my_$kind/build"
    claim_runs "it compiles by the command in its README, without a warning" \
        sh -c "cd my_$kind && $(sed -n "s/^ *\(cc -std=.*\)/\1/p" my_$kind/README.md) $warnings"
    mkdir -p cxx
    claim_runs "and in C++" ${CXX:-c++} -std=c++20 -O1 -Wall -Werror -shared -fPIC -x c++ \
        my_$kind/my_$kind.c $(pkg-config --cflags norma) -o cxx/my_$kind.so
    ask net sh -c "cd my_$kind && norma check net.yaml --load-plugins"
    claim_of net "its network has it" says "^my_$kind\|^op1 "
    ask trained norma train my_$kind/net.yaml --plugin cxx/my_$kind.so --set train.epochs=1 --out run_$kind
    claim_of trained "and is trained, by the one in C++" says 'saved in'
done
ask cxx norma gradcheck my_op my_op_grad --plugin cxx/my_op.so
claim_of cxx "the one in C++ passes the check too" says '^my_op '
for wrong in "op relu" "op double" "op Big" "loss mine" "op my_op"; do
    claim_runs "norma new $wrong is refused" sh -c "! norma new $wrong"
done

# The op that docs/custom_op.md makes twice, by the commands on the page.
mkdir page
page_of() # LANGUAGE: what stands in the page's blocks of it
{
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```/ { on = 0 } on' "$NORMA_SOURCE/docs/custom_op.md"
}
page_of c >page/squareplus.c
page_of sh >page/commands
claim_runs "the page's code compiles without a warning" ${CC:-cc} -std=gnu11 $warnings -shared -fPIC page/squareplus.c \
    $(pkg-config --cflags norma) -o page/strict.so
ask page sh -c "cd page && set -e && . ./commands"
claim_of page "the page's op, made of others, passes its check" says '^squareplus  *2 samples'
claim_of page "so does the one with a computation of its own" says '^fastplus  *2 samples'
claim_of page "and the help has its option" says 'how wide the bend at 0 is'
for bits in 32 64; do
    claim_runs "both compute the same in f$bits" /usr/bin/env python3 - page $bits <<'TEXT'
import struct, subprocess, sys
folder, bits = sys.argv[1], int(sys.argv[2])
code = "fd"[bits // 64]
head = str({"descr": "<f%d" % (bits // 8), "fortran_order": False, "shape": (5,)})
with open(folder + "/x.npy", "wb") as file:
    file.write(b"\x93NUMPY\1\0" + struct.pack("<H", 118) + head.ljust(117).encode() + b"\n")
    file.write(struct.pack("<5" + code, -3, -0.5, 0, 1, 20))
ys = []
for name in ("squareplus", "fastplus"):
    subprocess.run(["norma", "op", name, "--plugin", folder + "/squareplus.so", "--attrs", "{b: 2}",
                    "--in", folder + "/x.npy", "--out", folder + "/y.npy"], check=True, stderr=subprocess.DEVNULL)
    with open(folder + "/y.npy", "rb") as file:
        ys.append(struct.unpack("<5" + code, file.read()[-5 * bits // 8:]))
wanted = [(x + (x * x + 2) ** 0.5) / 2 for x in (-3, -0.5, 0, 1, 20)]
worst = max(abs(y - w) for each in ys for y, w in zip(each, wanted))
sys.exit(worst > (1e-6 if bits == 32 else 1e-14))
TEXT
done

# A program that has the library in it and does not export it: the plugin would bring another.
cat >load.c <<'TEXT'
#include <norma.h>
#include <stdio.h>
int main(int count, char **words)
{
    nm_context *context = nm_open(NULL);
    puts(count > 1 && nm_plugin_load(context, words[1]) == NM_OK ? "loaded" : nm_context_error(context));
    nm_close(context);
}
TEXT
linked="${CC:-cc} -std=gnu11 -fopenmp-simd -shared -fPIC my_op/my_op.c $(pkg-config --cflags --libs norma) -Wl,-rpath,$prefix/lib"
claim_runs "a plugin may be linked with the library" sh -c "$linked -o linked.so"
claim_runs "a program with the shared one builds" ${CC:-cc} load.c $(pkg-config --cflags --libs norma) -o load
claim_runs "and one that has it in it" ${CC:-cc} load.c $static -o load_static
ask load env LD_LIBRARY_PATH="$prefix/lib" ./load ./linked.so
claim_of load "the program with the shared library loads that plugin" says '^loaded$'
ask load env LD_LIBRARY_PATH="$prefix/lib" ./load my_op/my_op.so
claim_of load "and the one that is not linked" says '^loaded$'
ask load_static env LD_LIBRARY_PATH="$prefix/lib" ./load_static ./linked.so
PATH=$old_path
claim_of load_static "where there would be two libraries, that is refused" says 'it is bound to another copy of Norma'

# ---- The studies ----

# In their quick form, where their data set is: a build with sanitizers would take too long.
if [ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]; then
    studies=$("$prefix/bin/norma" study --list | awk '{print $1}')
    claim_runs "studies are listed" test -n "$studies"
    for study in $studies; do
        claim_runs "the study $study runs in its quick form" \
            "$prefix/bin/norma" study "$study" --quick -j 2 --quiet --out "$temporary/$study"
    done
fi

finish
