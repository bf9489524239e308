/** What the page reads: over real sockets, of a fleet that was just made as its manifests say. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GatewayVms } from "../../../src/report/gateway/page-documents.ts";
import { aServedGateway, type ServedGateway } from "../../support/a-served-gateway.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { until } from "../../support/until.ts";

let served: ServedGateway;
const row = (document: GatewayVms, name: string) => document.vms.find((vm) => vm.name === name);

beforeAll(async () => {
  served = await aServedGateway({
    nodes: ["n1", "n2"],
    fleet: { forge: { kind: "forgejo", api: null, hookSecretFile: null, pullRequests: false } },
    prepare: async (fleet) => {
      await fleet.vm("web-1", ["placement: { node: n1 }"]);
      await fleet.vm("web-2", ["placement: { node: n2 }", "cpus: 2"]);
    },
  });
  await until("both run", async () => {
    const { json } = await served.ask("/v1/fleets/shop/vms", "olga");
    return (
      json.kind === "GatewayVms" && json.vms.filter((vm: { phase: string }) => vm.phase === "running").length === 2
    );
  });
}, 90_000);
afterAll(() => served?.[Symbol.asyncDispose]());

describe("a fleet as it is", () => {
  test("nodes, VMs and one VM are told in documents that their schemas describe", async () => {
    const nodes = (await served.ask("/v1/fleets/shop/nodes", "olga")).json;
    expectValid(nodes, "gateway-nodes");
    expect(nodes.nodes).toMatchObject([
      { name: "n1", reach: "answers", since: null, vms: 1, running: 1, used: { cpus: 1, memoryMiB: 64 } },
      { name: "n2", reach: "answers", vms: 1, used: { cpus: 2 }, free: { cpus: 62 } },
    ]);
    const vms = (await served.ask("/v1/fleets/shop/vms", "olga")).json;
    expectValid(vms, "gateway-vms");
    expect(vms.vms).toMatchObject([
      { name: "web-1", node: "n1", phase: "running", named: true, pending: false, drift: null, change: null, cpus: 1 },
      { name: "web-2", node: "n2", cpus: 2 },
    ]);
    const vm = (await served.ask("/v1/fleets/shop/vms/web-1", "olga")).json;
    expectValid(vm, "gateway-vm");
    expect(vm).toMatchObject({
      row: row(vms, "web-1"),
      desired: { source: { file: "vms/web-1.yaml", line: 4 }, spec: { cpus: { count: 1 } } },
      live: { node: "n1", silentSince: null, report: { phase: "running" } },
      plan: { change: null, blocked: null },
    });
    expect((await served.ask("/v1/fleets/shop/vms/web-9", "olga")).json).toMatchObject({ code: "NOT_FOUND" });
    expect((await served.ask("/v1/fleets/lab/vms", "olga")).json).toMatchObject({ code: "NOT_FOUND" });
  });

  test("the plan last made and the fleet are the documents they always were, with the gateway's clock", async () => {
    expectValid((await served.ask("/v1/fleets/shop/plan", "olga")).json, "plan");
    const before = Date.now();
    const fleet = (await served.ask("/v1/fleets/shop", "olga")).json;
    expectValid(fleet, "gateway-fleet");
    expectValid((await served.ask("/v1/fleets", "olga")).json, "gateway-fleet-list");
    expect(Date.parse(fleet.now)).toBeGreaterThanOrEqual(before - 1);
  });

  test("what has not changed is not sent again; what has is sent alone, and told to who listens", async () => {
    const first = await served.ask("/v1/fleets/shop/vms", "olga");
    const etag = first.headers.get("etag")!;
    expect(first.headers.get("cache-control")).toContain("no-transform");
    for (const path of ["vms", "nodes"])
      expect((await served.ask(`/v1/fleets/shop/${path}`, "olga", { headers: { "if-none-match": etag } })).status).toBe(
        304,
      );
    const listening = new AbortController();
    const stream = await fetch(`${served.url}/v1/events`, {
      headers: { authorization: "Bearer token-olga" },
      signal: listening.signal,
    });
    expect(stream.headers.get("x-accel-buffering")).toBe("no");
    expect(stream.headers.get("cache-control")).toBe("no-store, no-transform");
    const told = eventsIn(stream);
    const headline = await told.next();
    expectValid(headline, "gateway-event");
    expect(headline).toMatchObject({ event: "fleet", fleet: "shop", tag: first.json.tag, since: null, vms: null });

    await served.fleet.vm("web-3", ["placement: { node: n1 }"]);
    await served.push();
    // What happens within a second is told once: how many that are is the machine's to say.
    let { tag } = headline;
    for (let phase = ""; phase !== "running"; ) {
      const news = await told.next((event) => event.event === "fleet");
      expectValid(news, "gateway-event");
      expect(news).toMatchObject({ since: tag, vms: [{ name: "web-3" }] });
      tag = news.tag;
      phase = news.vms[0].phase;
    }
    const since = (await served.ask(`/v1/fleets/shop/vms?since=${first.json.tag}`, "olga")).json;
    expectValid(since, "gateway-vms");
    expect(since).toMatchObject({ since: first.json.tag, vms: [{ name: "web-3", phase: "running" }], gone: [] });
    listening.abort();

    await served.fleet.remove("vms/web-3.yaml");
    await served.push();
    await until("it waits", async () => (await served.ask("/v1/fleets/shop", "olga")).json.waiting?.run != null);
    const { waiting } = (await served.ask("/v1/fleets/shop", "olga")).json;
    expect(row((await served.ask("/v1/fleets/shop/vms", "olga")).json, "web-3")).toMatchObject({
      named: false,
      change: { action: "destroy", class: "destroy" },
    });
    expect((await served.ask("/v1/fleets/shop/plan", "olga")).json.id).toBe(waiting.plan);
    expect((await served.ask(`/v1/runs/${waiting.run}/approve`, "ann", { method: "POST" })).status).toBe(200);
    await until("it is gone", async () => {
      const { json } = await served.ask(`/v1/fleets/shop/vms?since=${since.tag}`, "olga");
      return json.gone.includes("web-3");
    });
  });

  test("ten thousand rows would be sent zipped: as many as are worth it", async () => {
    const answer = await fetch(`${served.url}/v1/fleets/shop/vms`, {
      headers: { authorization: "Bearer token-olga", "accept-encoding": "gzip" },
    });
    expect(answer.headers.get("content-encoding")).toBeNull();
    expect(answer.headers.get("vary")).toBe("accept-encoding");
  });

  test("a node that goes silent is told with since when, and its VMs are unknown, as they were last", async () => {
    await served.fleet.stop("n2");
    await until(
      "it is silent",
      async () => (await served.ask("/v1/fleets/shop/nodes", "olga")).json.nodes[1].reach === "silent",
    );
    const nodes = (await served.ask("/v1/fleets/shop/nodes", "olga")).json;
    expectValid(nodes, "gateway-nodes");
    expect(nodes.nodes[1]).toMatchObject({ name: "n2", vms: 1, running: 0, capacity: { cpus: 16 } });
    expect(nodes.nodes[1].error).not.toBeNull();
    const vms = (await served.ask("/v1/fleets/shop/vms", "olga")).json;
    expect(row(vms, "web-2")).toMatchObject({ node: "n2", phase: "unknown", ready: null, drift: null, cpus: 2 });
    const vm = (await served.ask("/v1/fleets/shop/vms/web-2", "olga")).json;
    expectValid(vm, "gateway-vm");
    expect(vm.live).toMatchObject({ node: "n2", silentSince: nodes.nodes[1].since });
  });
});

/** Events one by one, as a page reads them. */
function eventsIn(stream: Response) {
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  // biome-ignore lint/suspicious/noExplicitAny: of many kinds.
  const next = async (holds: (event: any) => boolean = () => true): Promise<any> => {
    for (;;) {
      const end = pending.indexOf("\n\n");
      if (end < 0) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended");
        pending += value;
        continue;
      }
      const block = pending.slice(0, end);
      pending = pending.slice(end + 2);
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined && holds(JSON.parse(data))) return JSON.parse(data);
    }
  };
  return { next };
}
