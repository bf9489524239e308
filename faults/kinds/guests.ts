/** What guests do by themselves. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { vmName } from "../../src/model/names.ts";
import { connectAgent } from "../../src/wire/client.ts";
import type { FaultyNode } from "../world.ts";
import type { Perform } from "./perform.ts";

const CONSOLE_MS = 5_000;

/** A tiny guest powers off when it is told `q` on its serial line; a rehearsed one is a file. */
export const guestPowersOff: Perform = async (world, chance) => {
  const guest = chance.pick(world.guests());
  const node = world.nodes.find(({ name }) => name === guest?.node);
  if (guest === undefined || node === undefined) return null;
  if (guest.pid === null) powerOffFile(node, guest.vm);
  else if (!(await typeQ(node, guest.vm))) return null;
  return `${guest.vm} on ${guest.node}`;
};

function powerOffFile({ runFolder }: FaultyNode, vm: string): void {
  const file = join(runFolder, "vms", vm, "guest.json");
  try {
    const guest = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(`${file}.off`, JSON.stringify({ ...guest, phase: "off" }));
    renameSync(`${file}.off`, file);
  } catch {
    // It went away meanwhile, or there is no room to write.
  }
}

/** False when nobody lets us in: its agent may be frozen, or starting. */
async function typeQ(node: FaultyNode, vm: string): Promise<boolean> {
  const client = connectAgent({ address: node.url });
  const signal = AbortSignal.timeout(CONSOLE_MS);
  try {
    await using console = await client.openConsole(vmName(vm), signal);
    console.send(Buffer.from("q"));
    await Promise.race([console.ended, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    return true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}
