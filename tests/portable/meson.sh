#!/bin/bash
# Every Meson in PATH but the first, and $NORMA_MESON where that is set
here=$(dirname "$0")
. "$here/common.sh"

# "VERSION PATH" of each version, by the first path that has it.
others()
{
    local path version
    for path in $(type -ap meson) ${NORMA_MESON:+"$NORMA_MESON"}; do
        version=$("$path" --version 2>/dev/null) && echo "$version $path"
    done | awk -v first="$(meson --version)" '$1 != first && !seen[$1]++'
}

need check g++ valgrind cmake
others >"$FOLDER/mesons"
[ -s "$FOLDER/mesons" ] || cannot "Meson $(meson --version) is the only one: name another," \
    "NORMA_MESON=PATH; one comes by: python3 -m venv F && F/bin/pip install meson"
make_copy
mkdir "$FOLDER/bin"
path=$PATH
python=$(python3 -c 'import sys; print(sys.executable)') # itself: shims of it put another Meson first
while read -r version meson <&3; do
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$meson" >"$FOLDER/bin/meson"
    chmod +x "$FOLDER/bin/meson"
    PATH=$FOLDER/bin:$path
    build "build/meson-$version"
    train "build/meson-$version" "build/meson-$version/norma"
    tests "$python" tests/run "build/meson-$version"
done 3<"$FOLDER/mesons"
