#!/bin/bash
# Debian 13 without oneDNN: first without Check, by the README's commands, then with it, for the tests
here=$(dirname "$0")
. "$here/common.sh"
make_root trixie
install gcc libc6-dev pkg-config meson ninja-build libyaml-dev zlib1g-dev

say "meson setup build && ninja -C build && meson install -C build && ldconfig"
quietly in_root sh -c "meson setup build --werror && ninja -C build && meson install -C build && ldconfig"
not_linked_to 'dnnl|gomp' in_root ldd /usr/local/bin/norma
train "$root/srv/norma/build" in_root norma

install check g++
say "The same with Check"
quietly in_root sh -c "meson setup build/test --werror && ninja -C build/test"
tests in_root tests/run build/test
