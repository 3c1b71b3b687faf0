# What the places share. A place is a script beside this one. It works in the folder $FOLDER, which `run` makes
# and removes, and ends with 0 where Norma builds and passes, with 77 where it cannot be tried here, else with
# anything. What it has found goes into the table by result().
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
root=$FOLDER/root

say()
{
    printf -- '---- %s\n' "$*"
}

# result TEXT: one more thing to stand in the table.
result()
{
    printf '%s\n' "$*" | tee -a "$FOLDER/result"
}

# cannot WHY, and what to do
cannot()
{
    result "$*"
    exit 77
}

# need PACKAGE...: installs Debian packages on this machine, or says what is missing.
need()
{
    "$source/dev" need "$@" 2>&1 || cannot "it needs the packages: $*"
}

# ---- Builds ----

# copy_source FOLDER: the tree as it stands, without what is built or ignored.
copy_source()
{
    mkdir -p "$1"
    if git -C "$source" rev-parse --git-dir >/dev/null 2>&1; then
        git -C "$source" ls-files -z --cached --others --exclude-standard
    else
        (cd "$source" && find . -path './build*' -prune -o -path ./runs -prune -o -type f -print0)
    fi | (cd "$source" && xargs -0 sh -c 'for file; do [ -e "$file" ] && printf "%s\0" "$file"; done' sh |
        tar --null -T - -cf -) | tar -C "$1" -xf -
}

# quietly COMMAND...: its output only if it fails, or warns.
quietly()
{
    if "$@" >"$FOLDER/log" 2>&1; then
        ! grep -A 5 'warning:' "$FOLDER/log"
    else
        tail -n 60 "$FOLDER/log"
        false
    fi
}

# make_copy: a copy of the tree to work in.
make_copy()
{
    copy_source "$FOLDER/norma"
    cd "$FOLDER/norma"
}

# build FOLDER [MESON'S OPTIONS]: on this machine, in the copy; a warning of the compiler is a failure.
build()
{
    say "Building ${*:2}"
    quietly meson setup "$1" --werror "${@:2}"
    quietly ninja -C "$1"
}

# tests COMMAND...: runs what runs the tests, and takes its last line for the table.
tests()
{
    say "Tests"
    local status=0
    "$@" >"$FOLDER/log" 2>&1 || status=$?
    result "$(tail -n 1 "$FOLDER/log")"
    [ "$status" -eq 0 ] || grep -vE '^ *[0-9]+/[0-9]+ .*(OK|SKIP) ' "$FOLDER/log" | tail -n 150
    return "$status"
}

# ---- The network that is trained everywhere ----

# train COMMAND...: trains it by this command of norma's, and compares the losses with this machine's.
train()
{
    say "Training"
    "$@" train tests/portable/network.yaml --json --quiet --out runs/portable >"$FOLDER/losses"
    result "$(python3 "$here/losses.py" "$REFERENCE" "$FOLDER/losses")"
}

# ---- A Debian of its own, in $root ----

# The first of this machine's package sources that has release $1.
source_of()
{
    command -v apt-get >/dev/null || cannot "it needs a Debian or Ubuntu, for debootstrap and apt-get"
    apt-get indextargets --format '$(REPO_URI)' | sort -u | grep -v security >"$FOLDER/sources" || true
    while read -r uri; do
        /usr/lib/apt/apt-helper download-file "${uri%/}/dists/$1/InRelease" "$FOLDER/release" \
            >/dev/null 2>&1 || continue
        echo "${uri%/}"
        return
    done <"$FOLDER/sources"
    cannot "none of this machine's package sources has Debian's $1 (is there a network?)"
}

# What this machine says about proxies holds there too, and nothing is written for eternity.
configure_root()
{
    apt-config dump | grep -iE '^Acquire::.*proxy' >"$root/etc/apt/apt.conf.d/proxy" || true
    echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/small"
    printf '%s\n' force-unsafe-io 'path-exclude /usr/share/doc/*' 'path-exclude /usr/share/locale/*' \
        >"$root/etc/dpkg/dpkg.cfg.d/small"
}

# make_root RELEASE: a Debian with nothing but apt.
make_root()
{
    [ "$(id -u)" = 0 ] || cannot "it needs root, for a Debian of its own: sudo ./dev portable ..."
    unshare --mount true 2>/dev/null || cannot "it needs the right to mount, which this container has not"
    need debootstrap
    local uri proxy=
    uri=$(source_of "$1") || cannot "$(tail -n 1 "$FOLDER/result")"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    say "Debian $1 from $uri"
    quietly env ${proxy:+"http_proxy=$proxy"} unshare --mount debootstrap --variant=minbase \
        "$1" "$root" "$uri"
    configure_root
    copy_source "$root/root/norma"
}

# in_root COMMAND...: as root there, with an empty environment. Mounts are of a namespace of their own, and so
# are processes: whatever happens, nothing stays mounted or running.
in_root()
{
    unshare --mount --pid --fork --kill-child bash -euc '
        mount -t proc proc "$0/proc"
        mount --rbind /dev "$0/dev"
        exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            sh -euc "cd /root/norma; exec \"\$@\"" sh "$@"' "$root" "$@"
}

# install PACKAGE...: there.
install()
{
    say "Packages $*"
    quietly in_root apt-get update -q
    quietly in_root apt-get install -y -q "$@"
}

# not_linked_to PATTERN LDD: what `ldd` says names no such library.
not_linked_to()
{
    "${@:2}" >"$FOLDER/libraries"
    ! grep -E "$1" "$FOLDER/libraries"
}

# libraries_by COMPILER FOLDER: libyaml, zlib and Check, static, as their authors released them, for what has
# no packages of them. pkg-config finds them in FOLDER/pkgconfig.
libraries_by()
{
    sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/source.list"
    install cmake make xz-utils
    for library in libyaml zlib check; do
        say "$library"
        quietly in_root sh -euc "$unpack; mkdir -p \"\$3/pkgconfig\" \"\$3/share\"
            $(how_to_build "$library")
            find \"\$3/lib\" \"\$3/share\" -name '*.pc' -exec cp -t \"\$3/pkgconfig\" {} +
            rm -f \"\$3\"/lib/*.so*" sh "$library" "$@"
    done
}

# Fetches and unpacks the source $1, without what Debian adds, and goes there.
unpack='mkdir "/root/$1"; cd "/root/$1"
    apt-get source --print-uris "$1" >uris
    sed -n "s/^.\(.*\.orig\.tar\.[a-z0-9]*\). [^ ]* [0-9]* \(.*\)/\1 archive \2/p" uris |
        xargs /usr/lib/apt/apt-helper download-file
    tar xf archive; cd */'

how_to_build() # LIBRARY
{
    case $1 in
    zlib) # its sources for CMake lack what Debian leaves out
        echo 'command -v "${2%gcc}ar" >/dev/null && export AR="${2%gcc}ar" RANLIB="${2%gcc}ranlib" || true
            CC=$2 ./configure --static --prefix="$3"; make -j "$(nproc)" libz.a; make install'
        return
        ;;
    libyaml) # by CMake it comes without a description
        echo 'sed "s#@libdir@#$3/lib#; s#@includedir@#$3/include#; s#@.*@#0#" yaml-0.1.pc.in \
            >"$3/pkgconfig/yaml-0.1.pc"'
        ;;
    esac
    echo 'cmake -S . -B build -DCMAKE_C_COMPILER="$2" -DCMAKE_INSTALL_PREFIX="$3" \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DCHECK_ENABLE_SUBUNIT=OFF
        cmake --build build -j "$(nproc)"; cmake --install build'
}
