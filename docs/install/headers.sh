#!/bin/sh
# usage: headers.sh FOLDER [SOURCE HEADER...]
#
# In the tree a header includes from the root. In FOLDER, where they are for others' programs, each includes from
# where it stands, so that a program's own folder called core or ops never gets in between. With SOURCE, these
# headers of it are copied there first.
set -e
folder=$1
if [ $# -gt 1 ]; then
    source=$2
    shift 2
    for header; do
        mkdir -p "$folder/$(dirname "$header")"
        cp "$source/$header" "$folder/$header"
    done
fi
cd "$folder"
find . -mindepth 2 -name '*.h' | while read -r header; do
    inner=${header#./}
    up=$(printf '%s' "${inner%/*}/" | sed 's|[^/]*/|../|g')
    sed -i -E "s|^(#include \")([a-z]+/)|\1$up\2|" "$header"
done
