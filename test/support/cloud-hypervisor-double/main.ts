/**
 * The double of the cloud-hypervisor binary: arguments, API socket, event monitor, signals and exit codes as there, with a
 * scripted guest inside. Runs by itself; `install.ts` writes the executable that starts it.
 *
 *   CHD_VERSION   which release to be, 50.0 to 54.0 (53.0)
 *   CHD_KNOBS     how to misbehave, see knobs.ts
 *
 * For tests and rehearsals. What it cannot do: memory, real devices, the migration protocol of the real one, a pty that opens.
 */
import { accessSync, closeSync, constants, openSync, rmSync, statSync, writeSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Options, readArguments } from "./arguments.ts";
import { listenForControl } from "./control.ts";
import { lockDisk } from "./disk-lock.ts";
import { openEvents } from "./events.ts";
import { serveHttp } from "./http-server.ts";
import { type Knobs, readKnobs } from "./knobs.ts";
import { bindText, ioText, Refusal } from "./refusal.ts";
import { type Release, releaseOf } from "./release.ts";
import { answerRequests, createRoutes } from "./routes.ts";
import { createVmm } from "./vmm.ts";

const release = releaseOf(process.env.CHD_VERSION ?? "53.0");
const knobs = readKnobs(process.env.CHD_KNOBS);
const command = readArguments(process.argv.slice(2), release, knobs);

if (command.kind === "print") {
  process.stdout.write(command.stdout);
  process.stderr.write(command.stderr);
  process.exitCode = command.exitCode;
} else {
  try {
    await run(command.options, release, knobs);
  } catch (error) {
    fail(
      error instanceof Refusal
        ? error.chain
        : [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    );
  }
}

function fail(chain: readonly string[], code = 1): never {
  const lines = chain.map((text, index) => `  ${index}: ${text}`);
  process.stderr.write(`Error: Cloud Hypervisor exited with the following chain of errors:\n${lines.join("\n")}\n`);
  process.exit(code);
}

async function run(options: Options, being: Release, misbehaving: Knobs): Promise<void> {
  process.umask(0o077);
  if (misbehaving.startFails !== null) fail(["the double was told to fail"], misbehaving.startFails);
  if (misbehaving.needsKvm) checkKvm();
  const log = openLog(options);
  const events = orRefuse(() => openEvents(options.eventMonitor, misbehaving), "Error doing event monitor I/O");
  if (misbehaving.startMs > 0) await sleep(misbehaving.startMs);
  let hasEnded = false;
  const end = (code: number, chain: readonly string[]): void => {
    if (hasEnded) return;
    hasEnded = true;
    events.close();
    if (code === 0 && options.apiSocket !== null) rmSync(options.apiSocket, { force: true });
    log(`exits with ${code}`);
    if (code === 0) process.exit(0);
    fail(chain, code);
  };
  const vmm = createVmm({ release: being, knobs: misbehaving, events, noShutdown: options.noShutdown, end });
  const server = createServer();
  const answer = answerRequests(vmm, being, createRoutes(being, misbehaving));
  serveHttp(server, being.bodyLimit, async (request) => {
    log(`API request ${request.method} ${request.path}`);
    return answer(request);
  });
  process.on("SIGTERM", () => vmm.stop());
  process.on("SIGINT", () => vmm.stop());
  process.on("SIGWINCH", () => {});
  listenForControl((line) => vmm.commandGuest(line));
  if (options.apiSocket !== null) await listen(server, options.apiSocket, being);
  events.tell("vmm", "starting");
  if (options.restore !== null) {
    const from = options.restore;
    await vmm.request("vm.restore", () =>
      vmm.restore({
        source_url: from.source_url ?? "",
        prefault: from.prefault === "on",
        resume: from.resume === "true",
      }),
    );
  }
}

function checkKvm(): void {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch (error) {
    fail([
      "Failed to open hypervisor interface (is hypervisor interface available?)",
      "Failed to create the KVM hypervisor",
      ioText(error),
    ]);
  }
}

function orRefuse<T>(open: () => T, what: string): T {
  try {
    return open();
  } catch (error) {
    throw new Refusal("other", what, ioText(error));
  }
}

/** To the log file, or stderr; `-v` and above say what is asked of us. */
function openLog(options: Options): (text: string) => void {
  const fd =
    options.logFile === null ? 2 : orRefuse(() => openSync(options.logFile ?? "", "w"), "Error creating log file");
  return (text) => {
    if (options.verbosity === 0) return;
    const seconds = (performance.now() / 1000).toFixed(6).padStart(10);
    writeSync(fd, `cloud-hypervisor: ${seconds}s: <vmm> INFO -- ${text}\n`);
  };
}

/**
 * From 53 on a lock file keeps a second process away and lets a left over socket be taken away safely; before, whoever comes
 * last has the socket.
 */
async function listen(server: Server, path: string, being: Release): Promise<void> {
  if (being.locksSocket) {
    const lockFile = `${path}.lock`;
    const fd = orRefuse(() => openSync(lockFile, "w", 0o600), "Failed to start the VMM thread");
    const { dev, ino } = statSync(lockFile);
    closeSync(fd);
    const lock = await lockDisk(`${dev}:${ino}`, "Write");
    if (lock === null) {
      const why = `API socket ${JSON.stringify(path)} is already in use by another running instance`;
      throw new Refusal("other", "Failed to start the VMM thread", why);
    }
  }
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new Refusal(
          "other",
          "Failed to start the VMM thread",
          "Error creation API server's socket",
          bindText(error, path),
        ),
      );
    });
    server.listen(path, resolve);
  });
}
