# What the guards share: a release build of hot_loops.c, figures that are stored beside the scripts.
#
# A figure is a row "NAME NUMBER" of figures.txt. A number more than 5 % above it fails; one more than
# 5 % below it is good news, and the figure should follow. `SCRIPT --update` writes what it finds.
. "$(dirname "$0")/../system/claim.sh"
here=$(cd "$(dirname "$0")" && pwd)
figures=$here/figures.txt
source=$(cd "$here/../.." && pwd)
build=${NORMA_BUILD:?run it by ./dev test, or name a build folder}/guard
update=false
[ "${1:-}" != --update ] || update=true

# Whatever is being tested, these figures are of gcc's release build, with kernels and products for
# AVX2, so that they are the same on every processor that has it.
export NORMA_SOURCE=$source DNNL_MAX_CPU_ISA=AVX2

# Builds it, if need be, and says where it is.
need_hot_loops()
{
    version=$(gcc -dumpversion 2>/dev/null) || skip "the figures are for gcc, which is not here"
    grep -qx "# gcc ${version%%.*}" "$figures" || $update ||
        skip "the figures are for another gcc than ${version%%.*}"
    grep -qwm1 avx2 /proc/cpuinfo || skip "the figures are for processors with AVX2"
    mkdir -p "$build"
    ( # another guard may want to do the same
        flock 9
        export CC=gcc CFLAGS= LDFLAGS=
        [ -f "$build/build.ninja" ] ||
            meson setup "$build" "$source" --buildtype=release -Dkernels=avx2 || exit 1
        ninja -C "$build" tests/guard/hot_loops
    ) 9>"$build/lock" >"$build/build.log" 2>&1 || {
        cat "$build/build.log"
        exit 1
    }
    hot_loops=$build/tests/guard/hot_loops
}

figure() # NAME
{
    sed -n "s/^$1 //p" "$figures"
}

set_figure() # NAME NUMBER
{
    if [ -n "$(figure "$1")" ]; then
        sed -i "s/^$1 .*/$1 $2/" "$figures"
    else
        echo "$1 $2" >>"$figures"
    fi
}

# hold NAME NUMBER UNIT: the number is no more than the figure and 5 %.
hold()
{
    stored=$(figure "$1")
    printf '%s: %s %s (figure: %s)\n' "$1" "${2:-no}" "$3" "${stored:-none}"
    if $update && [ -n "$2" ]; then
        set_figure "$1" "$2"
        passed=$((passed + 1))
    elif [ -z "$stored" ] || [ -z "$2" ]; then
        claim "$1 has a figure and a number" "$(cat "$temporary"/*.wrong
            echo "$0 --update writes figures")"
    else
        claim "$1 is within 5 % of its figure" \
            "$([ $(($2 * 100)) -le $((stored * 105)) ] || echo "$2 $3, not $stored")"
        [ $(($2 * 100)) -ge $((stored * 95)) ] ||
            echo "$1 needs less than its figure now: lower that with" \
                "NORMA_BUILD=$NORMA_BUILD $0 --update"
    fi
}
