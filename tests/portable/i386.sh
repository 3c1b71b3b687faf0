#!/bin/bash
# 32-bit x86, cross compiled
here=$(dirname "$0")
. "$here/cross.sh"
cross i386 i686-linux-gnu x86 little
