#!/usr/bin/env bash
# QEMU 7.2 (Debian 12: qemu-system-x86 7.2.22): `query-machines` says `cpu-max: 288` for q35, and the same program refuses
# every guest of more than 255 vCPUs that it emulates (TCG), because 256 and more need KVM's irqchip and X2APIC.
#
# Seen:
#   query-machines        "name": "pc-q35-7.2" … "cpu-max": 288
#   -smp 1,maxcpus=255    starts, exit 0
#   -smp 1,maxcpus=256    exit 1: current -smp configuration requires kernel irqchip and X2APIC API support.
#
# Whoever plans by `cpu-max` alone plans a guest that cannot start on a host without KVM: the limit is 255 there.
# Run by hand as root or with the package installed; needs Debian's qemu-system-x86. Fails when the behaviour has changed.
set -euo pipefail

if ! command -v qemu-system-x86_64 >/dev/null; then
  apt-get install -y -q --no-install-recommends qemu-system-x86
fi
version=$(qemu-system-x86_64 --version | head -n 1)
echo "$version"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
commands='{"execute":"qmp_capabilities"}
{"execute":"query-machines"}
{"execute":"quit"}'

promised=$(printf '%s\n' "$commands" | timeout 60 qemu-system-x86_64 -machine none -display none -qmp stdio |
  grep -o '{[^{}]*"alias": "q35"[^{}]*}' | grep -o '"cpu-max": [0-9]*' | grep -o '[0-9]*$')
echo "query-machines promises $promised vCPUs for q35"

starts() { # vCPUs: is such a guest begun by the emulator?
  printf '%s\n' "$commands" | timeout 60 qemu-system-x86_64 -machine q35 -accel tcg -smp "1,maxcpus=$1" -S -nodefaults \
    -display none -qmp stdio >"$folder/out" 2>"$folder/err"
}
starts 255 && echo "255 vCPUs with TCG: it starts"
if starts 256; then
  echo "changed: 256 vCPUs start with TCG now" && exit 1
fi
echo "256 vCPUs with TCG: $(cat "$folder/err")"
[ "$promised" -gt 255 ] || { echo "changed: query-machines promises no more than 255"; exit 1; }
grep -q 'X2APIC' "$folder/err" || { echo "changed: another reason"; exit 1; }
