#!/bin/bash
# A script fails where the program it looks at is missing, empty or killed, and no claim about that
# program holds: run on such programs, in a build folder made of them.
. "$(dirname "$0")/claim.sh"
tests=$NORMA_SOURCE/tests
build=$temporary/build
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$NORMA_SOURCE/meson.build" | head -1)

# break_all KIND PROGRAM...: puts broken programs there, named by their places in the build folder.
break_all()
{
    for program in "${@:2}"; do
        path=$build/$program
        mkdir -p "${path%/*}"
        rm -f "$path"
        case $1 in
        missing) continue ;;
        empty) : >"$path" ;;
        silent) echo '#!/bin/sh' >"$path" ;;
        killed) printf '#!/bin/sh\nkill -KILL $$\n' >"$path" ;;
        late) # killed when all is said
            printf '#!/bin/sh\n"%s" "$@"\nkill -KILL $$\n' "$NORMA_BUILD/$program" >"$path" ;;
        later) # it says who it is, and is killed when asked for anything else
            printf '#!/bin/sh\ncase $1 in version | completion) exec "%s" "$@" ;; esac\nkill -KILL $$\n' \
                "$NORMA_BUILD/$program" >"$path" ;;
        esac
        chmod +x "$path"
    done
}

# does_not_apply SCRIPT...: nor does it, here, to the programs as they should be.
does_not_apply()
{
    "${@//"$build"/"$NORMA_BUILD"}" >/dev/null 2>&1
    [ $? -eq 77 ]
}

# For what is linked to a library that is not there: it fails sooner, and as surely.
no_compilers="CC=false CXX=false"

# fails TEXT MAY_HOLD SCRIPT...: it fails, and no claim of it holds but those that match.
fails()
{
    : >"$temporary/held"
    NORMA_BUILD=$build NORMA_HELD=$temporary/held "${@:3}" >"$temporary/output" 2>&1
    status=$?
    claim "$1" "$(
        case $status in
        0) echo "it passes" ;;
        77) does_not_apply "${@:3}" || echo "it says that it does not apply" ;;
        esac
        grep -vxE "$2" "$temporary/held")"
}

# ---- The command and the examples ----
examples=("$NORMA_SOURCE"/docs/examples/*.c)
examples=("${examples[@]##*/}")
examples=("${examples[@]%.c}")
examples=("${examples[@]/#/docs/example_}")
for kind in missing empty silent killed late later; do
    break_all $kind norma "${examples[@]}"
    fails "manual.sh sees that norma is $kind" \
        'the (page|man page|command|completion) .*|.* completes to .*|a command takes .*' \
        "$tests/system/manual.sh"
    case $kind in late*) continue ;; esac # its claims are of the same kinds, and take long
    fails "docs.sh sees that its programs are $kind" \
        '.*: the link .*|.* has less than [0-9]+ lines|.* stands in their list|each network .* begins with its name' \
        env $no_compilers "$tests/system/docs.sh"
done

# ---- The kernels ----
kernels=(tests/system/kernels_{plain,avx2,avx512})
if [ -x "$NORMA_BUILD/${kernels[0]}" ]; then
    for kind in missing empty silent killed late; do
        break_all $kind "${kernels[@]}"
        fails "kernels.sh sees that its programs are $kind" '' "$tests/system/kernels.sh" \
            "${kernels[@]/#/$build/}"
    done
fi

# ---- An installed copy: Meson and Ninja are told to put it there ----
mkdir -p "$temporary/tools" "$build/tests/install" "$build/stage/usr/local"
printf '#!/bin/sh\n' >"$temporary/tools/ninja"
printf '#!/bin/sh\nmkdir -p "$DESTDIR" && cp -r "%s/." "$DESTDIR"\n' "$build/stage" \
    >"$temporary/tools/meson"
chmod +x "$temporary/tools/"*
touch "$build/tests/install/build.ninja"
for kind in missing empty silent killed; do
    break_all $kind stage/usr/local/{bin/norma,lib/libnorma.{a,so,so.0,"so.$version"}}
    fails "install.sh sees that what is installed is $kind" \
        'no installed file names .*|(lib/libnorma|bin/norma).* is installed' \
        env $no_compilers PATH="$temporary/tools:$PATH" "$tests/system/install.sh"
done

# ---- The guards' loops and the fuzzers ----
mkdir -p "$build/guard"
echo 'build tests/guard/hot_loops: phony' >"$build/guard/build.ninja"
for kind in missing empty silent killed; do
    break_all $kind guard/tests/guard/hot_loops tests/fuzz/fuzz_csv
    for guard in instructions footprint; do
        fails "$guard.sh sees that the loops are $kind" '' "$tests/guard/$guard.sh"
    done
    fails "seeds.py sees that the entry is $kind" '' \
        "$tests/fuzz/seeds.py" csv "$build/tests/fuzz/fuzz_csv"
    fails "fuzz/run sees that the fuzzer is $kind" '' "$tests/fuzz/run" "$build" 1
done
printf '#!/bin/sh\n%s\nkill -KILL $$\n' \
    'echo runs 1; for row in pool_peak resident_growth resident_peak; do echo $row 1 KiB; done' \
    >"$build/guard/tests/guard/hot_loops"
fails "footprint.sh sees that the loops are killed when all is said" '' "$tests/guard/footprint.sh"

finish
