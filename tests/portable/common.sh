# What the places share. A place is a script beside this one. It works in the folder $FOLDER, which `run` makes
# and removes, and ends with 0 where Norma builds and passes, by cannot() where it cannot be tried here, else with
# anything. What it has found goes into the table by result().
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
root=$FOLDER/root

say()
{
    printf -- '---- %s (after %d s)\n' "$*" "$SECONDS"
}

# result TEXT: one more thing to stand in the table.
result()
{
    printf '%s\n' "$*" | tee -a "$FOLDER/result"
}

# cannot WHY, and what to do. Not from within $(...).
cannot()
{
    result "$*"
    touch "$FOLDER/cannot" # a program that ends with 77 has failed
    exit 77
}

# need PACKAGE...: installs Debian packages on this machine, or says what is missing.
need()
{
    timeout --foreground 900 "$source/dev" need "$@" 2>&1 || cannot "it needs the packages: $*"
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
    [ "$status" -eq 0 ] || {
        grep -vE '^ *[0-9]+/[0-9]+ .*(OK|SKIP) ' "$FOLDER/log" | tail -n 150
        return "$status"
    }
}

# ---- The network that is trained everywhere ----

# train BUILD COMMAND...: says what built that folder, trains it by this command of norma's, and compares the
# losses with this machine's.
train()
{
    say "Training"
    result "$(built_by "$1"), $("${@:2}" version | sed 's/.*, \(oneDNN .*\))$/\1/; t; s/.*/no oneDNN/')"
    trained=$((${trained:-0} + 1)) # a place may have several builds
    "${@:2}" train tests/portable/network.yaml --json --quiet --out "runs/portable$trained" >"$FOLDER/losses"
    local difference status=0
    difference=$(python3 "$here/losses.py" "$REFERENCE" "$FOLDER/losses") || status=$?
    result "$difference"
    return "$status"
}

# built_by FOLDER: "gcc 14.2.0, Meson 1.7.0", from Meson's log there.
built_by()
{
    sed -n 's/^Version: \(.*\)/Meson \1/p; s/^C compiler for the host machine: .* (\([a-z]* [0-9.]*\) ".*/\1/p' \
        "$1/meson-logs/meson-log.txt" | tac | paste -sd , | sed 's/,/, /'
}

# ---- A Debian of its own, in $root ----

# find_source RELEASE: the first of this machine's package sources that has it, into $uri.
find_source()
{
    sources >"$FOLDER/sources"
    [ -s "$FOLDER/sources" ] || { # a new machine, which has not looked yet
        bounded 300 apt-get update -q >/dev/null 2>&1 || true
        sources >"$FOLDER/sources"
    }
    while read -r uri; do
        uri=${uri%/}
        ! bounded 120 /usr/lib/apt/apt-helper download-file "$uri/dists/$1/InRelease" "$FOLDER/release" \
            </dev/null >/dev/null 2>&1 || return 0
    done <"$FOLDER/sources"
    cannot "none of this machine's package sources has Debian's $1 (is there a network?)"
}

sources()
{
    apt-get indextargets --format '$(REPO_URI)' | sort -u | grep -v security || true
}

# What this machine says about proxies holds there too, and nothing is written for eternity.
configure_root()
{
    apt-config dump | grep -iE '^Acquire::.*proxy' >"$root/etc/apt/apt.conf.d/proxy" || true
    printf '%s\n' 'APT::Install-Recommends "false";' 'Acquire::Retries "5";' 'Acquire::http::Timeout "60";' \
        >"$root/etc/apt/apt.conf.d/small"
    printf '%s\n' force-unsafe-io 'path-exclude /usr/share/doc/*' 'path-exclude /usr/share/locale/*' \
        >"$root/etc/dpkg/dpkg.cfg.d/small"
}

# bounded SECONDS COMMAND...: with all that it starts; whatever happens, nothing stays mounted or running, as mounts
# and processes are of namespaces of their own.
bounded()
{
    timeout --foreground --signal=KILL "$1" unshare --mount --pid --fork --kill-child "${@:2}"
}

# What a root is worked in with has to be permitted: it is not in every container.
need_root()
{
    command -v apt-get >/dev/null || cannot "it needs a Debian or Ubuntu, for debootstrap and apt-get"
    [ "$(id -u)" = 0 ] || cannot "it needs root, for a Debian of its own: sudo ./dev portable ..."
    mkdir -p "$FOLDER/probe/proc" "$FOLDER/probe/dev"
    bounded 60 bash -euc "$mount_system; mknod \"\$0/null\" c 1 3; echo >\"\$0/null\"; chroot / true" \
        "$FOLDER/probe" >"$FOLDER/log" 2>&1 ||
        cannot "it needs the rights to mount, to make devices and to chroot: $(tail -n 1 "$FOLDER/log")"
}

mount_system='mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"'

# make_root RELEASE: a Debian with nothing but apt. That there is none says nothing of Norma.
make_root()
{
    need_root
    need debootstrap
    local uri proxy=
    find_source "$1"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    say "Debian $1 from $uri"
    bounded 900 env ${proxy:+"http_proxy=$proxy"} debootstrap --variant=minbase "$1" "$root" "$uri" \
        >"$FOLDER/log" 2>&1 || cannot "debootstrap did not make it, by: $(tail -n 1 "$FOLDER/log")"
    configure_root
    copy_source "$root/srv/norma"
}

# in_root COMMAND...: as root there, with an empty environment, for an hour at most.
in_root()
{
    bounded 3600 bash -euc "$mount_system"'
        exec chroot "$0" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root LANG=C.UTF-8 \
            sh -euc "cd /srv/norma; exec \"\$@\"" sh "$@"' "$root" "$@"
}

# online COMMAND...: what installs packages, among other things. Its failure says nothing of Norma where the
# package source is not to be reached any more.
online()
{
    local status=0
    "$@" || status=$?
    [ "$status" -eq 0 ] || in_root apt-get update -q --error-on=any >/dev/null 2>&1 ||
        cannot "the package source cannot be reached any more"
    return "$status"
}

# install PACKAGE...: there.
install()
{
    say "Packages $*"
    online quietly in_root apt-get update -q --error-on=any
    online quietly in_root apt-get install -y -q "$@"
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
        online quietly in_root sh -euc "$unpack; mkdir -p \"\$3/pkgconfig\" \"\$3/share\"
            $(how_to_build "$library")
            find \"\$3/lib\" \"\$3/share\" -name '*.pc' -exec cp -t \"\$3/pkgconfig\" {} +
            rm -f \"\$3\"/lib/*.so*" sh "$library" "$@"
    done
}

# Fetches and unpacks the source $1, without what Debian adds, and goes there.
unpack='mkdir "/srv/$1"; cd "/srv/$1"
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
