#!/bin/bash
# s390x (big-endian), cross compiled, run by QEMU
here=$(dirname "$0")
. "$here/cross.sh"
cross s390x s390x-linux-gnu s390x big qemu-s390x
