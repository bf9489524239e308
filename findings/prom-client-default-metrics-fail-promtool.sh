#!/usr/bin/env bash
# prom-client 15.1.3 and promtool (Debian 12: prometheus 2.42.0): what `collectDefaultMetrics` registers is turned down by
# `promtool check metrics`, exit 3: three gauges are named as counters are.
#
# Seen:
#   nodejs_active_handles_total non-counter metrics should not have "_total" suffix
#   nodejs_active_requests_total non-counter metrics should not have "_total" suffix
#   nodejs_active_resources_total non-counter metrics should not have "_total" suffix
#
# Whoever checks what a service renders with promtool in CI, and has the default metrics, never passes. rate() of them says nothing, either:
# they go up and down. Needs node, npm and Debian's prometheus (for promtool; no server is started). Fails when the behaviour has changed.
set -euo pipefail

command -v promtool >/dev/null || { echo "needs promtool: apt-get install --no-install-recommends prometheus" && exit 2; }
promtool --version | head -n 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3
cat >render.cjs <<'END'
const { Registry, collectDefaultMetrics } = require("prom-client");
const register = new Registry();
collectDefaultMetrics({ register });
register.metrics().then((text) => process.stdout.write(text, () => process.exit(0)));
END
node render.cjs >metrics
code=0
promtool check metrics <metrics >said 2>&1 || code=$?
cat said
[ "$code" -eq 3 ] || { echo "changed: promtool ends with $code" && exit 1; }
[ "$(grep -c '^nodejs_active_[a-z]*_total non-counter metrics should not have "_total" suffix$' said)" -eq 3 ] ||
  { echo "changed: it says something else" && exit 1; }
