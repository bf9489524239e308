/** Both sides of a migration between two doubles: what is sent, in which order, and what is left where when it breaks. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Receive, Send } from "./bodies.ts";
import type { Events } from "./events.ts";
import type { MigrationKnobs } from "./knobs.ts";
import {
  acceptOne,
  connectTo,
  type MigrationCommand,
  type MigrationEnd,
  readMigrationUrl,
  tableOf,
} from "./migration-wire.ts";
import { Panic, Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";
import { decode, encode } from "./shapes.ts";
import type { SavedVm, Vm } from "./vm.ts";
import { type VmConfig, vmConfigShape } from "./vm-config.ts";

export interface Sending {
  readonly knobs: MigrationKnobs;
  readonly release: Release;
  readonly events: Events;
  tell(event: string): void;
}

/** Resolves when the other side has resumed it. The VM is left paused; its locks are given up before the state goes over. */
export async function sendVm(vm: Vm, to: Send, { knobs, release, events, tell }: Sending): Promise<void> {
  const url = readMigrationUrl(to.destination_url);
  if (url.kind === "wrong") throw new Error("checked before");
  const wasPaused = vm.state() === "Paused";
  const end = await connectTo(url);
  const ask = async (command: MigrationCommand, what: string, payload?: Buffer, contents?: Buffer): Promise<void> => {
    if (command === "memory" && end.isOver && release.diesOfBrokenPipes)
      throw new Panic("called `Result::unwrap()` on an `Err` value: MigrateSocket(Os { code: 32, kind: BrokenPipe })");
    end.ask(command, payload, contents);
    const answer = await end.answered();
    if (answer === "ok") return;
    if (answer === "error" && release.abandons) {
      end.ask("abandon");
      await end.answered();
    }
    throw new Refusal("other", answer === null ? "Socket error" : "Failed to send migratable component snapshot", what);
  };
  try {
    await ask("start", "Error starting migration");
    const config = encode(vmConfigShape(release.major), vm.config as unknown as Record<string, unknown>, release);
    const travelling = `{"vm_config":${JSON.stringify(config)},"common_cpuid":[],"memory_manager_data":{"end_of_device_area":${DEVICE_AREA}}}`;
    await ask("config", "Error during config migration", Buffer.from(travelling, "utf8"));
    if (!to.local && to.memory_mode !== "Postcopy") {
      for (let iteration = 0; iteration < knobs.iterations; iteration++) {
        const kib = iteration === 0 ? knobs.memoryKiB : knobs.dirtyKiB;
        // In two ranges, as memory has holes.
        const lengths = [kib * 512, kib * 512];
        await sleep(knobs.iterationMs);
        await ask("memory", "Error during dirty memory migration", tableOf(lengths), Buffer.alloc(kib * 1024));
        if (release.tellsMigrations) events.tell("vm", "migration-memory-iteration", { id: `${iteration}` });
      }
    }
    if (!wasPaused) vm.pause();
    await vm.devices.unlockDisks();
    events.tell("vm", "snapshotting");
    events.tell("vm", "snapshotted");
    if (knobs.failAt === "cut before state") throw new Refusal("other", "Socket error", "Broken pipe (os error 32)");
    await ask("state", "Error during state migration", Buffer.from(JSON.stringify(vm.save()), "utf8"));
    if (knobs.failAt === "cut before complete") throw new Refusal("other", "Socket error", "Broken pipe (os error 32)");
    await ask(wasPaused ? "complete paused" : "complete", "Error completing migration");
    if (to.memory_mode === "Postcopy") tell("postcopy-migration-completed");
  } finally {
    end.close();
  }
}

/** As the real one's addresses: more than a double holds. */
const DEVICE_AREA = "18446744073709547519";

export interface Receiving {
  readonly knobs: MigrationKnobs;
  readonly release: Release;
  tell(event: string): void;
  takeConfig(config: VmConfig): Promise<void>;
  restore(config: VmConfig, saved: SavedVm): Promise<void>;
  resume(): void;
  /** The sender was told no: all that came is thrown away. */
  abort(): Promise<void>;
}

/** Resolves when the VM is here. A sender that goes away leaves everything as it stands, and no event. */
export async function receiveVm(from: Receive, receiving: Receiving): Promise<void> {
  const url = readMigrationUrl(from.receiver_url);
  if (url.kind === "wrong") throw new Error("checked before");
  const end = await acceptOne(url, receiving.release.keepsMigrationSocket, () =>
    receiving.tell("migration-receive-ready"),
  );
  receiving.tell("migration-receive-started");
  try {
    if (await followSender(end, receiving)) receiving.tell("migration-receive-finished");
  } finally {
    end.close();
  }
}

/** False: it came to nothing, and this release says nothing of that. */
async function followSender(end: MigrationEnd, receiving: Receiving): Promise<boolean> {
  const { knobs, release } = receiving;
  let config: VmConfig | null = null;
  for (;;) {
    const request = await end.asked();
    if (request === null) throw new Refusal("other", "Socket error", "failed to fill whole buffer");
    const { command, payload } = request;
    const step = command === "complete paused" ? "complete" : command;
    if (knobs.failAt === `cut before ${step}`)
      throw new Refusal("other", "Socket error", "Connection reset by peer (os error 104)");
    try {
      if (command === "abandon") throw new Refusal("other", "Abandon Command Received");
      if (knobs.failAt === step) throw new Refusal("other", `refused at ${step}`);
      if (command === "config") {
        config = readConfig(payload.toString("utf8"), release);
        await receiving.takeConfig(config);
      } else if (command === "state") {
        if (config === null) throw new Refusal("other", "Can't handle command State in current receive state Started");
        await receiving.restore(config, JSON.parse(payload.toString("utf8")) as SavedVm);
      } else if (command === "complete") receiving.resume();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      process.stderr.write(
        `cloud-hypervisor: <vmm> WARN -- Migration aborted as migration command failed: ${error.message}\n`,
      );
      end.answer(command === "abandon" ? "ok" : "error");
      await receiving.abort();
      if (!release.tellsRefusedArrivals) return false;
      throw new Refusal("other", "Failed to complete migration for migratable component", "Migration was aborted");
    }
    end.answer("ok");
    if (step === "complete") return true;
  }
}

function readConfig(text: string, release: Release): VmConfig {
  if (!text.includes(`"end_of_device_area":${DEVICE_AREA}`))
    throw new Refusal("other", "Error deserialising config", "what is no address of ours");
  const { vm_config: config } = JSON.parse(text) as { readonly vm_config: unknown };
  return decode(vmConfigShape(release.major), JSON.stringify(config), release) as unknown as VmConfig;
}
