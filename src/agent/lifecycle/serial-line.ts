/** Where a guest's serial line is, and where what it said is kept. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import type { SerialLineAt } from "./lifecycle.ts";
import type { Parts } from "./parts/parts.ts";
import type { Slot } from "./parts/slot.ts";

export async function serialLine(parts: Parts, slot: Slot): Promise<SerialLineAt> {
  const connection = slot.guest?.connection ?? null;
  if (connection !== null) {
    const { consoleSocket: socket, consoleLog: log } = connection;
    return { socket, log, absence: socket === null ? noConsole(slot) : null };
  }
  // What a guest said that is off, or does not answer: every hypervisor logs its serial line under this name.
  const log = join(parts.store.paths(slot.name).logFolder, "console.log");
  const isThere = await access(log).then(
    () => true,
    () => false,
  );
  return { socket: null, log: isThere ? log : null, absence: slot.guest === null ? null : unanswered(slot) };
}

const noConsole = ({ name, guest }: Slot): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `${name} runs on ${guest?.hypervisor.kind}, whose guests have no serial console`, {
    hint: `its log: odorobo vm logs ${name} --follow`,
  });

const unanswered = ({ name, silence }: Slot): OdoroboError =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `${name} runs, but has no console: ${silence ?? "it is being started"}`, {
    hint: `try again in a moment; what it said so far: odorobo vm logs ${name}`,
  });
