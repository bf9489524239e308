/** What a gateway holds of memory, and whether that grows with the revisions it has seen. */
import { type FleetSize, nodeNameOf } from "../fleet-texts.ts";
import { startGatewayChild } from "../gateway/gateway-child.ts";
import { Pushed } from "../gateway/pushed.ts";
import { prepareFleet } from "../prepared-fleet.ts";
import { type Row, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { serveFleet } from "../serve-fleet.ts";
import { sizesFor } from "../sizes.ts";

export const gatewayRevisions: Scenario = {
  name: "gateway-revisions",
  about: "memory of a gateway over thousands of revisions",
  async run(bench) {
    const { large, label } = sizesFor(bench.quick);
    return await measure(bench, large, label(large), bench.quick ? [2, 4] : [100, 1_000, 2_000]);
  },
};

/** Of a process whose garbage was just collected: in MB of 1,000,000 bytes. */
const MOST_MB = 400;

async function measure(bench: Bench, size: FleetSize, label: string, marks: readonly number[]): Promise<Row[]> {
  const fleet = await prepareFleet(bench.ours, size, bench);
  await using _ = await serveFleet(fleet, bench.ours, bench.signal);
  await using gateway = await startGatewayChild(fleet.manifests, { mayAct: false, looksAtOnce: true }, bench);
  const repository = new Pushed(fleet.manifests);
  const file = `nodes/${nodeNameOf(0)}.yaml`;
  bench.say(`a gateway of ${size.vms} VMs over ${marks.at(-1)} revisions`);
  await gateway.next("planned", 0);
  const rows: Row[] = [];
  let before: number | null = null;
  for (let revision = 1; revision <= (marks.at(-1) ?? 0); revision++) {
    bench.signal.throwIfAborted();
    const commit = repository.push(file, (text) => text.replace(/memory: \d+GiB/, `memory: ${5 + (revision % 7)}GiB`));
    const since = gateway.told.length;
    await gateway.hook(commit);
    await gateway.next("planned", since, (told) => told.commit === commit);
    if (!marks.includes(revision)) continue;
    const { rss, heapUsed, peakMiB } = await gateway.use();
    const grown = before === null ? "" : `, ${((heapUsed - before) / 1e6).toFixed(1)} MB more than at the mark before`;
    const did = `resident after a collection; ${(heapUsed / 1e6).toFixed(0)} MB of objects${grown}`;
    rows.push({
      ...rowOf(
        `gateway, ${label}, ${revision} revisions`,
        [{ milliseconds: rss / 1e6, peakMiB: Math.round(peakMiB), cpuMs: null, did, values: {} }],
        { unit: "MB" },
      ),
      target: bench.quick ? null : { atMost: MOST_MB },
    });
    before = heapUsed;
  }
  return rows;
}
