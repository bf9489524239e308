/** A short story of gateways that share an etcd, under faults; `npm run faults -- --cluster` tells long ones. */
import { expect, test } from "vitest";
import { runCluster } from "../../faults/cluster/run-cluster.ts";
import { requires } from "../support/requirements.ts";

const SEED = 4;
const COUNT = 6;

test.runIf(requires("random faults against gateways over a real etcd", "etcd", "etcdctl", "git"))(
  `${COUNT} faults against three gateways over three members of etcd (seed ${SEED}) break no promise`,
  { timeout: 600_000 },
  async () => {
    const { byKind, violations } = await runCluster(SEED, COUNT, new AbortController().signal);
    expect(violations).toEqual([]);
    expect([...byKind.values()].reduce((sum, each) => sum + each, 0)).toBe(COUNT);
  },
);
