#!/bin/sh
# Plans, and keeps what a review needs. Never changes anything; a token that may only look is enough.
#
#   sh odorobo-plan.sh FLEET OUT    → OUT/plan.json, OUT/plan.md, OUT/print, OUT/code
#
# OUT/print names what the plan would do: the same print, the same steps on VMs that are as they were.
# Exits 0: there is a plan. 3: it is there, and refused, or some VM is blocked. Otherwise there is none, and the reason was said.
set -eu
fleet=$1
out=$2
mkdir -p "$out"
rm -f "$out/plan.json" "$out/plan.md" "$out/print" "$out/code"

code=0
odorobo plan "$fleet" --detailed-exitcode --out "$out/plan.json" --format markdown >"$out/plan.md" || code=$?
case $code in
  0) echo "nothing is to be done" ;;
  2) echo "there is something to do" ;;
  3) echo "refused, or blocked in part: see the plan" ;;
  4) echo "some nodes did not answer; the rest is planned" ;;
  *) exit "$code" ;;
esac
echo "$code" >"$out/code"

# All of the plan but where and when the fleet was read and seen, and how long moves may take.
sed -e '/^  "id": /d' -e '/^  "base": {/,/^  }/d' -e '/^  "times": {/,/^  }/d' "$out/plan.json" |
  sha256sum | cut -c 1-16 >"$out/print"
echo "print: $(cat "$out/print")"
[ "$code" -ne 3 ] || exit 3
