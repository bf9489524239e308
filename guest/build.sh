#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Odorobo Authors
#
# guest/build.sh [OUT]: builds the tiny guest with gcc and ld. The same source gives the same bytes: test/guest/tiny.test.ts checks it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/tiny.elf}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gcc -m64 -c -nostdlib -Wa,-mx86-used-note=no -o "$scratch/tiny.o" "$here/tiny.S"
ld -m elf_x86_64 -s --build-id=none -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T "$here/tiny.ld" -o "$out" "$scratch/tiny.o"
