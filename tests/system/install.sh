#!/bin/sh
# What packagers and users of the library get: a release build with the default options, installed
# into a folder of its own, and programs built against nothing but that folder.
. "$(dirname "$0")/claim.sh"
build=$NORMA_BUILD/tests/install
stage=$temporary/stage
prefix=$stage/usr/local
unset DESTDIR

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

for file in lib/libnorma.so lib/libnorma.so.0 "lib/libnorma.so.$version" lib/libnorma.a \
    lib/pkgconfig/norma.pc include/norma/norma.h include/norma/core/op.h include/norma/ops/ops.h \
    bin/norma share/man/man1/norma.1 share/bash-completion/completions/norma.bash \
    share/norma/zoo/spirals.yaml; do
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
    find "$prefix/include/norma" -name '*.h' -exec cat {} + | tr -cs 'A-Za-z0-9_' '\n' | sort -u >"$temporary/declared"
    awk '{print $3}' | sort | comm -23 - "$temporary/declared"
}
claim_of exported "all that is exported is declared in an installed header" undeclared
strip -o "$temporary/stripped" "$prefix/lib/libnorma.so"
ask size wc -c "$temporary/stripped"
claim_of size "the stripped library is smaller than 1 MB" says '^[1-9][0-9]\{0,5\} '

# ---- Programs ----

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
norma_pc()
{
    pkg-config --define-variable=prefix="$prefix" "$@" norma
}
claim_runs "pkg-config finds the version" norma_pc --exact-version="$version"

program=$temporary/program
mkdir -p "$program/core" "$program/ops"
cd "$program" || exit 1
# A program's own headers may be called like ours.
for header in core/tensor.h core/context.h core/op.h ops/basic.h; do
    echo '#error "the header of the program, not of the library"' >"$header"
done
cat >sum.c <<'TEXT'
#include <norma.h>
#include <stdio.h>

int main(void)
{
    nm_context *context = nm_context_create(NULL);
    if (!context || nm_register_ops(context) != NM_OK) {
        return 1;
    }
    const float values[] = {1, 2, 3};
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3), values);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor_set_requires_grad(x, true);
    nm_status status = nm_backward(tape, nm_sum(tape, nm_mul(tape, x, x)), 0);
    if (status != NM_OK) {
        puts(nm_context_error(context));
        return 1;
    }
    const float *gradient = nm_tensor_f32(nm_tensor_grad(x));
    printf("%g %g %g\n", gradient[0], gradient[1], gradient[2]);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
    return 0;
}
TEXT
warnings="-Wall -Wextra -Wpedantic -Werror"
claim_runs "a program builds with the shared library" ${CC:-cc} -std=c11 $warnings -I. sum.c \
    $(norma_pc --cflags --libs) -o shared
ask shared env LD_LIBRARY_PATH="$prefix/lib" ./shared
claim_of shared "and runs" says '^2 4 6$'
claim_runs "a program builds in C++" ${CXX:-c++} -std=c++17 $warnings -I. -x c++ -fsyntax-only \
    $(norma_pc --cflags) - <<'TEXT'
#include <norma.h>
int main() { return nm_status_name(NM_OK) == nullptr; }
TEXT

static=$(norma_pc --cflags --libs --static | sed 's/-lnorma/-l:libnorma.a/')
claim_runs "a program builds with the static library" ${CC:-cc} -std=c11 $warnings -I. sum.c \
    $static -o static
ask static ./static
claim_of static "and runs alone" says '^2 4 6$'

# ---- The command ----

ask version "$prefix/bin/norma" version
claim_of version "the command runs without the shared library, and tells the version" \
    says "^norma $version "

finish
