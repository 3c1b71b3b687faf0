#!/bin/bash
# 64-bit Arm (little-endian, NEON), cross compiled, run by QEMU
here=$(dirname "$0")
. "$here/cross.sh"
cross arm64 aarch64-linux-gnu aarch64 little qemu-aarch64
