/** Which ports of the node lead to which guest: chosen once, kept, and nobody else's. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Forward, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";

const forward = (guestPort: number, hostPort: number | null = null, over: Partial<Forward> = {}): Forward => ({
  ...{ guestPort, protocol: "tcp", host: "127.0.0.1", hostPort },
  ...over,
});

const nic = (forwards: readonly Forward[], name = "eth0"): Nic => ({
  ...{ name, network: "default", attachment: { kind: "user" }, mac: "52:54:00:00:00:01", address: null },
  ...(forwards.length === 0 ? {} : { forwards }),
});

const specWith = (...forwards: readonly Forward[]): VmSpec => aSpec({ nics: [nic(forwards)] });

const put = (agent: TestAgent, name: string, spec: VmSpec, generation = 1) => agent.put(name, { spec, generation });

const portsOf = async (agent: TestAgent, name: string): Promise<readonly string[]> =>
  ((await agent.vm(name)).forwards ?? []).map(({ hostPort, guestPort }) => `${hostPort}:${guestPort}`);

test("a port that nobody named is chosen once, told, and kept over reboots and restarts of guest and agent", async () => {
  await using agent = await anAgent();
  await put(agent, "web", specWith(forward(22), forward(80)));
  expect(await portsOf(agent, "web")).toEqual([]);
  await agent.boot("web");
  const first = await portsOf(agent, "web");
  expect(first).toHaveLength(2);
  const { addresses, drift } = await agent.vm("web");
  expect(drift).toEqual([]);
  expect(addresses?.map(({ address, source }) => `${source} ${address}`)).toEqual(
    first.map((each) => `forward 127.0.0.1:${each.split(":")[0]}`),
  );
  await agent.shutdown("web");
  await agent.boot("web");
  expect(await portsOf(agent, "web")).toEqual(first);
  await agent.restart();
  expect(await portsOf(agent, "web")).toEqual(first);
  await agent.rebootHost();
  await agent.boot("web");
  expect(await portsOf(agent, "web")).toEqual(first);
});

test("a forward more, and one less, while the guest runs", async () => {
  await using agent = await anAgent();
  await put(agent, "web", specWith(forward(22)));
  await agent.boot("web");
  const [ssh] = await portsOf(agent, "web");
  await put(agent, "web", specWith(forward(22), forward(80, 8080)), 2);
  expect(await portsOf(agent, "web")).toEqual([ssh, "8080:80"]);
  expect((await agent.vm("web")).drift).toEqual([]);
  await put(agent, "web", specWith(forward(80, 8080)), 3);
  expect(await portsOf(agent, "web")).toEqual(["8080:80"]);
  await put(agent, "web", specWith(), 4);
  expect(await portsOf(agent, "web")).toEqual([]);
  expect((await agent.vm("web")).drift).toEqual([]);
});

test("a port by name that another guest has is refused, and free again when that guest is off", async () => {
  await using agent = await anAgent();
  await put(agent, "one", specWith(forward(22, 2222)));
  await put(agent, "two", specWith(forward(22, 2222, { host: "0.0.0.0" })));
  await agent.boot("one");
  const refused = await agent.boot("two");
  expect(refused.error).toMatchObject({
    code: "ADDRESS_IN_USE",
    message: "two is to have port 2222 at 0.0.0.0 of its node, and one has it",
  });
  await agent.shutdown("one");
  expect((await agent.boot("two")).error).toBeNull();
});

test("no two VMs of a node ever have one port, in whatever order they come and go", async () => {
  const acts = fc.array(
    fc.record({
      vm: fc.constantFrom("a", "b", "c", "d"),
      act: fc.constantFrom("boot", "shutdown", "more"),
      // Few of each, so that they meet.
      forwards: fc.uniqueArray(fc.constantFrom(22, 80, 443), { maxLength: 3 }),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(acts, async (story) => {
      await using agent = await anAgent();
      for (const name of ["a", "b", "c", "d"]) await put(agent, name, specWith(forward(22)));
      let generation = 1;
      for (const { vm, act, forwards } of story) {
        if (act === "boot") await agent.boot(vm);
        else if (act === "shutdown") await agent.shutdown(vm, 0);
        else
          await put(agent, vm, specWith(...forwards.sort((a, b) => a - b).map((port) => forward(port))), ++generation);
      }
      const { vms } = await agent.lifecycle.report(NEVER);
      const open = vms.flatMap(({ forwards = [] }) => forwards.map(({ hostPort }) => hostPort));
      expect(new Set(open).size).toBe(open.length);
      for (const { phase, spec, forwards = [] } of vms)
        if (phase === "running") expect(forwards).toHaveLength(spec.nics[0]?.forwards?.length ?? 0);
    }),
    { numRuns: 10 },
  );
});
