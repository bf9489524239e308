/** Both sides of a migration between two doubles: what is sent, in which order, and what is left where when it breaks. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Receive, Send } from "./bodies.ts";
import type { Events } from "./events.ts";
import type { MigrationKnobs } from "./knobs.ts";
import { acceptOne, connectTo, type MigrationEnd, type MigrationMessage, readMigrationUrl } from "./migration-wire.ts";
import { Refusal } from "./refusal.ts";
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
  const say = async (message: MigrationMessage, what: string): Promise<void> => {
    end.send(message);
    const answer = (await end.receive()) as { readonly ok: boolean } | null;
    if (answer?.ok) return;
    throw new Refusal("other", answer === null ? "Socket error" : "Failed to send migratable component snapshot", what);
  };
  try {
    await say({ kind: "start" }, "Error starting migration");
    const config = encode(vmConfigShape(release.major), vm.config as unknown as Record<string, unknown>, release);
    await say({ kind: "config", config, protocol: 0 }, "Error during config migration");
    if (!to.local && to.memory_mode !== "Postcopy") {
      for (let iteration = 0; iteration < knobs.iterations; iteration++) {
        if (release.tellsMigrations) events.tell("vm", "migration-memory-iteration", { id: `${iteration}` });
        await sleep(knobs.iterationMs);
        await say({ kind: "memory", iteration }, "Error during dirty memory migration");
      }
    }
    if (!wasPaused) vm.pause();
    await vm.devices.unlockDisks();
    events.tell("vm", "snapshotting");
    events.tell("vm", "snapshotted");
    if (knobs.failAt === "cut before state") throw new Refusal("other", "Socket error", "Broken pipe (os error 32)");
    await say({ kind: "state", saved: vm.save() }, "Error during state migration");
    if (knobs.failAt === "cut before complete") throw new Refusal("other", "Socket error", "Broken pipe (os error 32)");
    await say({ kind: "complete", paused: wasPaused }, "Error completing migration");
    if (to.memory_mode === "Postcopy") tell("postcopy-migration-completed");
  } finally {
    end.close();
  }
}

export interface Receiving {
  readonly knobs: MigrationKnobs;
  readonly release: Release;
  tell(event: string): void;
  takeConfig(config: VmConfig): void;
  restore(config: VmConfig, saved: SavedVm): Promise<void>;
  resume(): void;
  /** The sender was told no: all that came is thrown away. */
  abort(): Promise<void>;
}

/** Resolves when the VM is here. A sender that goes away leaves everything as it stands, and no event. */
export async function receiveVm(from: Receive, receiving: Receiving): Promise<void> {
  const url = readMigrationUrl(from.receiver_url);
  if (url.kind === "wrong") throw new Error("checked before");
  const end = await acceptOne(url, () => receiving.tell("migration-receive-ready"));
  receiving.tell("migration-receive-started");
  try {
    await followSender(end, receiving);
  } finally {
    end.close();
  }
  receiving.tell("migration-receive-finished");
}

async function followSender(end: MigrationEnd, receiving: Receiving): Promise<void> {
  const { knobs, release } = receiving;
  let config: VmConfig | null = null;
  for (;;) {
    const message = (await end.receive()) as MigrationMessage | null;
    if (message === null) throw new Refusal("other", "Socket error", "failed to fill whole buffer");
    if (knobs.failAt === `cut before ${message.kind}`)
      throw new Refusal("other", "Socket error", "Connection reset by peer (os error 104)");
    try {
      if (knobs.failAt === message.kind) throw new Refusal("other", `refused at ${message.kind}`);
      if (message.kind === "config") {
        config = decode(vmConfigShape(release.major), JSON.stringify(message.config), release) as unknown as VmConfig;
        receiving.takeConfig(config);
      } else if (message.kind === "state") {
        if (config === null) throw new Refusal("other", "Can't handle command State in current receive state Started");
        await receiving.restore(config, message.saved as SavedVm);
      } else if (message.kind === "complete" && !message.paused) receiving.resume();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      process.stderr.write(
        `cloud-hypervisor: <vmm> WARN -- Migration aborted as migration command failed: ${error.message}\n`,
      );
      end.send({ ok: false });
      await receiving.abort();
      throw new Refusal("other", "Failed to complete migration for migratable component", "Migration was aborted");
    }
    end.send({ ok: true });
    if (message.kind === "complete") return;
  }
}
