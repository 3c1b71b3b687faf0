#!/bin/bash
# Builds Norma without oneDNN, with Debian 12's (2.6) and with Debian 13's (3.7), all by the compiler and against
# the C library of a Debian 13 in FOLDER/root. The builds stay in FOLDER, in `none`, `2.6` and `3.7`, and run from
# there like any program: nothing is mounted.
#
# usage: tests/bench/onednn.sh FOLDER
mkdir -p "$1"
FOLDER=$(cd "$1" && pwd)
. "$(dirname "$0")/../portable/common.sh"
old=/opt/onednn

# oneDNN's packages of Debian 12, unpacked into $old.
fetch_old_onednn()
{
    local list=$root/etc/apt/sources.list.d/bookworm.list
    find_source bookworm
    echo "deb $uri bookworm main" >"$list"
    quietly in_root apt-get update -q
    quietly in_root sh -euc 'mkdir "$0"; cd "$0"; apt-get download libdnnl2/bookworm libdnnl-dev/bookworm
        for package in *.deb; do dpkg -x "$package" .; done' "$old"
    rm "$list"
    quietly in_root apt-get update -q
}

# build_with NAME MESON'S OPTIONS, with an environment before: the command, into $FOLDER/NAME.
build_with() # NAME VARIABLE=VALUE... MESON'S OPTIONS...
{
    local name=$1 libraries=$root/usr/lib/x86_64-linux-gnu
    say "Building: $name"
    quietly in_root env "${@:2:2}" meson setup "build/$name" --werror -Dtests=false "${@:4}"
    quietly in_root ninja -C "build/$name" norma
    mkdir -p "$FOLDER/$name"
    cp "$root/srv/norma/build/$name/norma" "$FOLDER/$name/"
    patchelf --set-interpreter "$root/lib64/ld-linux-x86-64.so.2" --force-rpath \
        --set-rpath "$libraries:$root$old/usr/lib/x86_64-linux-gnu" "$FOLDER/$name/norma"
    "$FOLDER/$name/norma" version
}

need patchelf
make_root trixie
install gcc libc6-dev pkg-config meson ninja-build libyaml-dev zlib1g-dev ocl-icd-libopencl1 # the old one asks for it
build_with none CFLAGS= LDFLAGS= -Donednn=disabled
fetch_old_onednn
build_with 2.6 CFLAGS="-I$old/usr/include" LDFLAGS="-L$old/usr/lib/x86_64-linux-gnu" -Donednn=enabled
install libdnnl-dev
build_with 3.7 CFLAGS= LDFLAGS= -Donednn=enabled
# It is loaded when it is needed, so that the program says which one was found, and its file does not.
"$FOLDER/2.6/norma" version | grep -q 'oneDNN 2\.6'
"$FOLDER/3.7/norma" version | grep -q 'oneDNN 3\.7'
"$FOLDER/none/norma" version | grep -q 'no oneDNN'
