/** Two gateways as processes over three real members of etcd: who acts, who takes over, and what was said at the other one. */
import { describe, expect, test } from "vitest";
import type { RunList } from "../../src/report/run-document.ts";
import { aCluster, findTwoLeaders, TOKEN } from "../support/a-cluster.ts";
import { requires } from "../support/requirements.ts";
import { until } from "../support/until.ts";

const PATIENT = { timeout: 240_000 };
const auth = { authorization: `Bearer ${TOKEN}` };

describe.runIf(requires("gateways over a real etcd", "etcd", "etcdctl", "git"))(
  "a cluster of gateways",
  PATIENT,
  () => {
    test("one acts and both show the same; killed in the middle of a run, the other carries that very run on", async () => {
      await using cluster = await aCluster();
      const { fleet } = cluster;
      await fleet.vm("web-1");
      const first = await cluster.commit();
      cluster.start("a");
      expect(await cluster.leader()).toBe("a");
      cluster.start("b");
      await cluster.applied("a", first);
      await cluster.applied("b", first);
      await until("the one that stands by says who leads", async () => {
        const { gateway } = await cluster.list("b");
        return gateway.leader.mode === "cluster" && !gateway.leader.leads && gateway.leader.leader === "a";
      });
      await until("it has seen the guests, too", async () => (await cluster.list("b")).fleets[0]?.isReady === true);

      for (const name of ["web-2", "web-3", "web-4"])
        await fleet.vm(name, [], { "noop.odorobo.dev/boot-delay": "1500ms" });
      const second = await cluster.commit();
      const runs = async (name: string) => {
        const response = await fetch(`${await cluster.gateway(name).url()}/v1/runs`, { headers: auth });
        return ((await response.json()) as RunList).runs;
      };
      let run = "";
      await until("a boot is under way, seen at the other one", async () => {
        const [latest] = await runs("b");
        run = latest?.id ?? "";
        return latest?.status === "running" && latest.counts.done > 0;
      });
      cluster.gateway("a").signal("SIGKILL");
      expect(await cluster.leader()).toBe("b");
      await cluster.applied("b", second);
      const [latest] = await runs("b");
      expect(latest).toMatchObject({ id: run, status: "done" });

      const ordered = await cluster.ordered("n1");
      expect(new Set(ordered.map(({ term }) => term)).size).toBe(2);
      expect(findTwoLeaders(ordered)).toEqual([]);
    });
  },
);
