/**
 * Brings an image into a cache and kills itself with SIGKILL at the n-th thing that it asks of its file system.
 * Run by `test/agent/images/kill.test.ts`: node image-puller-script.ts <folder> <remote as JSON> <n>
 */
import { writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { instant } from "../../src/model/names.ts";

const [folder, remote, dieAt] = process.argv.slice(2) as [string, string, string];

let passed = 0;
function boundary(): void {
  passed++;
  if (passed === Number(dieAt)) process.kill(process.pid, "SIGKILL");
}

type Act = (...args: unknown[]) => Promise<unknown>;
const patched = (owner: object, names: readonly string[]): void => {
  for (const name of names) {
    const acts = owner as Record<string, Act>;
    const act = acts[name] as Act;
    acts[name] = function (this: unknown, ...args) {
      boundary();
      return act.apply(this, args);
    };
  }
};
const probe = await promises.open("/dev/null", "r");
patched(Object.getPrototypeOf(probe), ["write", "truncate", "sync"]);
await probe.close();
patched(promises, ["open", "rename", "rm", "chmod", "mkdir"]);
syncBuiltinESMExports();

const { ImageCache } = await import("../../src/agent/images/image-cache.ts");
const cache = await ImageCache.open({
  ...{ dataFolder: folder, now: () => instant("2026-01-01T12:00:00.000Z"), stopping: new AbortController().signal },
  ...{ bytesPerSecond: null, allowPrivate: false, reserveBytes: 1024 },
});
await cache.need("a", JSON.parse(remote), null, new AbortController().signal);
writeFileSync(join(folder, "finished"), String(passed));
process.exit(0);
