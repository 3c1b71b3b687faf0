#!/bin/bash
# Debian 13 with nothing but apt: ./dev demo and ./dev test
here=$(dirname "$0")
. "$here/debian.sh"
two_commands trixie
