#!/usr/bin/env bash
# prom-client 15.1.3: rendering a registry once as OpenMetrics renames its counters for good. Rendered as Prometheus's text afterwards,
# `visits_total` is called `visits`, and every query and alert on it finds nothing.
#
# Seen:
#   Prometheus's text            visits_total 1
#   then as OpenMetrics          visits_total 1
#   then Prometheus's text again visits 1
#
# `Registry.metrics()` takes `_total` off `metric.name` itself. Whoever answers both formats from one registry, as a scraper's Accept
# header asks (setContentType before each answer), loses the names with the first scrape of a newer Prometheus. One registry, one format.
# Needs node and npm; runs by hand. Fails when the behaviour has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3
cat >seen.cjs <<'END'
const { Counter, Registry, openMetricsContentType, prometheusContentType } = require("prom-client");
(async () => {
  const registry = new Registry();
  new Counter({ name: "visits_total", help: "Visits.", registers: [registry] }).inc();
  const sample = async () => (await registry.metrics()).split("\n").find((line) => line !== "" && !line.startsWith("#"));
  console.log(await sample());
  registry.setContentType(openMetricsContentType);
  console.log(await sample());
  registry.setContentType(prometheusContentType);
  console.log(await sample());
})();
END
node seen.cjs | tee seen
expected='visits_total 1
visits_total 1
visits 1'
[ "$(cat seen)" = "$expected" ] || { echo "changed: the names are others now" && exit 1; }
