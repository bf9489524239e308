/** `odorobo vm migrate` between two agents, all as they are installed. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AgentChild, startAgentChild } from "../agent-child.ts";
import { runCommand } from "../measure.ts";
import type { IdleGuest } from "./idle-guest.ts";
import type { Moved, MovingPair } from "./moving-pair.ts";

interface AgentsPairOptions {
  readonly installed: string;
  readonly scratch: string;
  readonly env: NodeJS.ProcessEnv;
  readonly guest: IdleGuest;
}

export async function openAgentsPair({ installed, scratch, env, guest }: AgentsPairOptions): Promise<MovingPair> {
  await using opened = new AsyncDisposableStack();
  const names = ["n1", "n2"] as const;
  const agents: AgentChild[] = [];
  for (const name of names) {
    const flags = ["--hypervisor", "qemu", "--accelerator", "tcg", "--cpus", "8", "--memory", "64GiB"];
    agents.push(opened.use(await startAgentChild(installed, join(scratch, name), flags, { name, env })));
  }
  const [first] = agents;
  if (first === undefined) throw new Error("no agent");
  const manifests = join(scratch, "m");
  await mkdir(manifests);
  const documents = [
    "kind: Fleet\nmetadata: { name: bench }",
    ...agents.map(({ url }, index) => `kind: Node\nmetadata: { name: ${names[index]} }\nspec: { address: "${url}" }`),
  ];
  const text = documents.map((each) => `apiVersion: odorobo.dev/v1\n${each}\n`).join("---\n");
  await writeFile(join(manifests, "fleet.yaml"), text);
  await first.put("g", guest.spec);
  await first.operate("g", { kind: "boot" });
  let at = 0;
  opened.defer(async () => {
    await agents[at]?.operate("g", { kind: "shutdown", graceSeconds: 0 }).catch(() => {});
  });
  const all = opened.move();
  return {
    name: "odorobo vm migrate",
    async move(signal): Promise<Moved> {
      const to = 1 - at;
      const args = ["vm", "migrate", "g", "--to", names[to] ?? "", "--fleet", manifests, "--json"];
      const { milliseconds, did } = await runCommand(join(installed, "bin/run.js"), args, { env, signal });
      at = to;
      const { detail } = JSON.parse(did.slice(did.indexOf("{"))) as {
        detail?: { migration?: { seconds: number; downtimeMs: number | null } };
      };
      const migration = detail?.migration;
      return {
        milliseconds,
        sendingMs: migration === undefined ? null : migration.seconds * 1_000,
        downtimeMs: migration?.downtimeMs ?? null,
      };
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
