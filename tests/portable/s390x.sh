#!/bin/bash
# s390x (big-endian), cross compiled, run by QEMU; libyaml, zlib and Check from their sources
here=$(dirname "$0")
. "$here/cross.sh"
from_sources=yes # not every mirror has the packages of this architecture
cross s390x s390x-linux-gnu s390x big "qemu-s390x -L /usr/s390x-linux-gnu"
