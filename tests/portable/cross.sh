# Another processor: cross compiled in a Debian 13 of its own, without oneDNN, run by QEMU or by this
# processor itself.
. "$here/common.sh"

# cross ARCHITECTURE COMPILER'S PREFIX, MESON'S CPU FAMILY, ENDIANNESS [QEMU]
cross()
{
    local architecture=$1 prefix=$2 family=$3 endian=$4 qemu=${5:-}
    make_root trixie
    in_root dpkg --add-architecture "$architecture"
    install "gcc-$prefix" pkg-config meson ninja-build ${qemu:+qemu-user} \
        "libc6-dev:$architecture" "libyaml-dev:$architecture" "zlib1g-dev:$architecture" "check:$architecture"
    write_wrapper "$qemu"
    cat >"$root/root/cross" <<TEXT
[binaries]
c = '$prefix-gcc'
ar = '$prefix-ar'
strip = '$prefix-strip'
pkg-config = 'pkg-config'
${qemu:+exe_wrapper = '/root/emulated'}
[properties]
pkg_config_libdir = '/usr/lib/${prefix/i686/i386}/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$family'
endian = '$endian'
TEXT
    say "Building"
    quietly in_root meson setup build --werror --cross-file /root/cross
    quietly in_root ninja -C build
    train in_root ${qemu:+"$qemu"} build/norma
    # Check's processes for each test hang under QEMU. Tests that run the command run it by the script.
    tests in_root env ${qemu:+CK_FORK=no} tests/run build ${qemu:+-t 10} \
        --suite core --suite ops --suite optim --suite models
}

# What Meson runs a program of the other processor by. The command runs by QEMU too.
write_wrapper()
{
    [ -n "$1" ] || return 0
    mkdir "$root/root/by_qemu"
    printf '#!/bin/sh\nexec %s /root/norma/build/norma "$@"\n' "$1" >"$root/root/by_qemu/norma"
    printf '#!/bin/sh\nexport NORMA_BUILD=/root/by_qemu\nexec %s "$@"\n' "$1" >"$root/root/emulated"
    chmod +x "$root/root/by_qemu/norma" "$root/root/emulated"
}
