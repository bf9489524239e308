/** Where a guest's serial line is, and where what it said is kept. */
import { access } from "node:fs/promises";
import { OdoroboError } from "../../model/errors.ts";
import { consoleLog } from "../launch-command.ts";
import type { SerialLineAt } from "./lifecycle.ts";
import type { Parts } from "./parts/parts.ts";
import type { Slot } from "./parts/slot.ts";

export async function serialLine(parts: Parts, slot: Slot): Promise<SerialLineAt> {
  const connection = slot.guest?.connection ?? null;
  if (connection !== null) {
    const { serial, consoleLog: log } = connection;
    return { log, absence: serial === null ? noConsole(slot) : null };
  }
  // What a guest said that is off, or does not answer: every hypervisor logs its serial line under this name.
  const log = consoleLog(parts.store.paths(slot.name));
  const isThere = await access(log).then(
    () => true,
    () => false,
  );
  return { log: isThere ? log : null, absence: slot.guest === null ? null : unanswered(slot) };
}

const noConsole = ({ name, guest }: Slot): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `${name} runs on ${guest?.hypervisor.kind}, whose guests have no serial console`, {
    hint: `its log: odorobo vm logs ${name} --follow`,
  });

const unanswered = ({ name, silence }: Slot): OdoroboError =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `${name} runs, but has no console: ${silence ?? "it is being started"}`, {
    hint: `try again in a moment; what it said so far: odorobo vm logs ${name}`,
  });
