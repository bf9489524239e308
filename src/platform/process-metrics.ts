/**
 * What Prometheus wants to know of any process, under the names that its dashboards know. Not prom-client's own set: that measures the
 * event loop with a timer a hundred times a second, and has gauges whose names end in `_total`, which `promtool check metrics` turns down.
 */
import { readdirSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";

/** All of them are looked at when they are asked for: between two scrapes nothing is done. */
export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  const counter = (name: string, help: string, value: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });

  counter("process_cpu_seconds_total", "CPU time of this process, user and system, in seconds.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  const startedAt = Date.now() / 1_000 - process.uptime();
  gauge("process_start_time_seconds", "When this process was started, in seconds since 1970.", () => startedAt);
  gauge("process_resident_memory_bytes", "Memory of this process that is in RAM.", () => process.memoryUsage.rss());
  gauge("process_open_fds", "Files and sockets that this process has open.", countOpenFiles);
  gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use.", () => process.memoryUsage().heapUsed);

  const loop = () => performance.eventLoopUtilization();
  counter("nodejs_eventloop_active_seconds_total", "Time that the event loop was busy.", () => loop().active / 1e3);
  counter(
    "nodejs_eventloop_idle_seconds_total",
    "Time that the event loop had nothing to do.",
    () => loop().idle / 1e3,
  );
  new Gauge({
    name: "nodejs_eventloop_lag_seconds",
    help: "How long work that was ready had to wait for its turn, measured during this scrape.",
    registers,
    async collect() {
      const from = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      this.set((performance.now() - from) / 1e3);
    },
  });
}

/** 0 where /proc is not to be read. */
function countOpenFiles(): number {
  try {
    // One of them is the folder itself.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0;
  }
}
