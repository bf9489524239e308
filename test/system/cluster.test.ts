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

    test("approved at the one that stands by, while the leader is paused beyond its lease: nothing is lost, and who wakes orders nothing", async () => {
      await using cluster = await aCluster({ leaseSeconds: 3 });
      const { fleet } = cluster;
      await fleet.vm("web-1");
      const first = await cluster.commit();
      cluster.start("a");
      expect(await cluster.leader()).toBe("a");
      cluster.start("b");
      await cluster.applied("a", first);
      await fleet.vm("web-1", ["memory: 128MiB"]);
      const second = await cluster.commit();
      let run: string | null = null;
      await until("it is asked about, seen at the other one", async () => {
        run = (await cluster.list("b")).fleets[0]?.waiting === null ? null : await waitingAt("b");
        return run !== null;
      });
      async function waitingAt(name: string): Promise<string | null> {
        const response = await fetch(`${await cluster.gateway(name).url()}/v1/runs`, { headers: auth });
        const { runs } = (await response.json()) as RunList;
        return runs.find(({ status }) => status === "waiting")?.id ?? null;
      }
      cluster.gateway("a").signal("SIGSTOP");
      const approved = await cluster.gateway("b").post(`/v1/runs/${run}/approve`, {}, TOKEN);
      // Told as taken, or as kept until somebody leads: either way it counts.
      expect([200, 503]).toContain(approved.status);
      await cluster.applied("b", second);
      cluster.gateway("a").signal("SIGCONT");
      await cluster.gateway("a").logs("it sees that it leads no more", ({ msg }) => msg.includes("has lost the lead"));
      const found = (await (
        await fetch(`${await cluster.gateway("a").url()}/v1/runs/${run}`, { headers: auth })
      ).json()) as {
        readonly status: string;
        readonly approvedBy?: string;
      };
      expect(found).toMatchObject({ status: "done", approvedBy: expect.stringContaining("at the gateway") });
      expect(findTwoLeaders(await cluster.ordered("n1"))).toEqual([]);
    });
  },
);
