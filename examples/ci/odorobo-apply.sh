#!/bin/sh
# Applies what a review has seen, and nothing else.
#
#   sh odorobo-apply.sh FLEET OUT COMMAND [ARGUMENT…]
#
# Plans again from what was merged; `COMMAND ARGUMENT… PRINT` says (exit 0) whether a plan of that print was kept for a review. Who
# could forge what was kept can by that only have the merged manifests applied.
# Exits as `odorobo apply` does: 0 done, 3 something was refused, blocked or left to a window, 4 some nodes did not answer,
# 5 the world has moved on and nothing more was done: OUT/plan.md is the new plan. Read it; run the job again to apply it.
set -eu
fleet=$1
out=$2
shift 2
here=$(dirname "$0")

plan_again() {
  planned=0
  sh "$here/odorobo-plan.sh" "$fleet" "$out" || planned=$?
  [ "$planned" -eq 0 ] || [ "$planned" -eq 3 ] || exit "$planned"
}

plan_again
code=$(cat "$out/code")
[ "$code" -ne 0 ] || exit 0
if ! "$@" "$(cat "$out/print")"; then
  echo "this is not a plan that was reviewed: see $out/plan.md" >&2
  exit 5
fi

code=0
odorobo apply "$out/plan.json" --fleet "$fleet" --yes || code=$?
if [ "$code" -eq 5 ]; then
  echo "VMs have moved on while it was applied; what is left:" >&2
  plan_again
fi
exit "$code"
