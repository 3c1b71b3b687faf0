# Another processor: cross compiled in a Debian 13 of its own, without oneDNN, run by QEMU or by this
# processor itself.
. "$here/common.sh"

# cross ARCHITECTURE COMPILER'S PREFIX, MESON'S CPU FAMILY, ENDIANNESS [QEMU'S COMMAND]: with the architecture's
# packages of the libraries, or with their sources where $from_sources is set.
cross()
{
    local qemu=${5:-}
    make_root trixie
    install "gcc-$2" pkg-config meson ninja-build ${qemu:+qemu-user}
    if [ -n "${from_sources:-}" ]; then
        install "libc6-dev-$1-cross"
        libraries_by "$2-gcc" /opt/libraries
    else
        packages_of "$1" "$2"
    fi
    write_wrapper "$qemu"
    describe "$2" "$3" "$4" "$qemu" >"$root/srv/machine"
    say "Building"
    quietly in_root meson setup build --werror --cross-file /srv/machine
    quietly in_root ninja -C build
    train "$root/srv/norma/build" in_root $qemu build/norma
    tests_of_units "$qemu"
}

# Check's processes for each test hang under QEMU. Tests that run the command run it by the script.
tests_of_units() # QEMU
{
    local suites="--suite core --suite ops --suite optim --suite models"
    if [ -z "$1" ]; then
        tests in_root tests/run build $suites
        return
    fi
    in_root meson test -C build --list --no-rebuild $suites >"$FOLDER/listed"
    result "without ${too_long/ / and }, which take too long under QEMU, and $starts_itself, whose command starts itself"
    tests in_root env CK_FORK=no tests/run build -t 10 $suites \
        $(sed 's/.*[ :]//' "$FOLDER/listed" | grep -vxE "${too_long// /|}|$starts_itself")
}
too_long="zoo command_bench"
starts_itself=command_study # without the kernel's help no program under QEMU can

# The libraries, where Meson finds them: /opt/libraries/pkgconfig.
packages_of() # ARCHITECTURE COMPILER'S PREFIX
{
    in_root dpkg --add-architecture "$1"
    install "libc6-dev:$1" "libyaml-dev:$1" "zlib1g-dev:$1" "check:$1"
    mkdir -p "$root/opt/libraries"
    ln -s "/usr/lib/${2/i686/i386}/pkgconfig" "$root/opt/libraries/pkgconfig"
}

# The description of the machine for Meson.
describe() # COMPILER'S PREFIX, MESON'S CPU FAMILY, ENDIANNESS, QEMU
{
    cat <<TEXT
[binaries]
c = '$1-gcc'
ar = '$1-ar'
strip = '$1-strip'
pkg-config = 'pkg-config'
${4:+exe_wrapper = '/srv/emulated'}
[properties]
pkg_config_libdir = '/opt/libraries/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$2'
cpu = '$2'
endian = '$3'
TEXT
}

# What Meson runs a program of the other processor by. Tests that run the command find it by QEMU too.
write_wrapper() # QEMU
{
    [ -n "$1" ] || return 0
    mkdir "$root/srv/by_qemu"
    printf '#!/bin/sh\nexec %s /srv/norma/build/norma "$@"\n' "$1" >"$root/srv/by_qemu/norma"
    printf '#!/bin/sh\nexport NORMA_BUILD=/srv/by_qemu\nexec %s "$@"\n' "$1" >"$root/srv/emulated"
    chmod +x "$root/srv/by_qemu/norma" "$root/srv/emulated"
}
