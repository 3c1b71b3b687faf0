#!/bin/bash
# musl instead of glibc, static, without oneDNN and OpenMP; libyaml, zlib and Check from Debian's sources
here=$(dirname "$0")
. "$here/common.sh"
make_root trixie
sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/source.list"
install gcc libc6-dev musl-tools cmake make meson ninja-build pkg-config dpkg-dev

# library SOURCE CMAKE'S OPTIONS
library()
{
    say "$1"
    quietly in_root sh -euc 'mkdir /root/"$0"; cd /root/"$0"; apt-get source -q "$0"; cd */
        cmake -S . -B build -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_INSTALL_PREFIX=/opt/musl \
            -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "$@"
        cmake --build build -j "$(nproc)"; cmake --install build' "$@"
}

library libyaml -DBUILD_TESTING=OFF
library zlib -DZLIB_BUILD_EXAMPLES=OFF
library check -DBUILD_TESTING=OFF -DCHECK_ENABLE_SUBUNIT=OFF

say "Building"
quietly in_root env CC=musl-gcc PKG_CONFIG_LIBDIR=/opt/musl/lib/pkgconfig:/opt/musl/share/pkgconfig \
    meson setup build --werror -Dopenmp=disabled -Donednn=disabled -Dc_link_args=-static
quietly in_root ninja -C build
not_linked_to 'libc\.so\.6' in_root sh -c 'ldd build/norma 2>&1 || true'
train in_root build/norma
tests in_root tests/run build --suite core --suite ops --suite optim --suite models
