#!/bin/bash
# musl instead of glibc, without oneDNN; libyaml, zlib and Check from Debian's sources
here=$(dirname "$0")
. "$here/common.sh"
make_root trixie
install gcc libc6-dev musl-tools make meson ninja-build pkg-config
libraries_by musl-gcc /opt/musl

say "Building"
quietly in_root env CC=musl-gcc PKG_CONFIG_LIBDIR=/opt/musl/pkgconfig \
    meson setup build --werror -Donednn=disabled
quietly in_root ninja -C build
not_linked_to 'libc\.so\.6' in_root readelf -d build/norma
train "$root/srv/norma/build" in_root build/norma
tests in_root tests/run build --suite core --suite ops --suite optim --suite models
