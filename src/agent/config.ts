/**
 * An agent's configuration: from what a person gives (flags, all optional) to what the agent is started with (all said).
 * What would let strangers in is refused here, before anything is opened.
 */
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { OdoroboError } from "../model/errors.ts";
import { isDnsLabel, type NodeName, nodeName } from "../model/names.ts";
import type { Capacity } from "../model/observed-state.ts";
import type { HypervisorKind } from "../model/vm-spec.ts";
import { DEFAULT_REQUESTS_PER_SECOND } from "../platform/http/door/limits.ts";
import {
  formatListenAddress,
  isLocal,
  type ListenAddress,
  parseListenAddress,
} from "../platform/http/listen-address.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogSettings } from "../platform/pino-log.ts";
import { DEFAULT_AGENT_PORT } from "../wire/routes.ts";

export interface AgentConfig {
  readonly nodeName: NodeName;
  readonly listen: readonly ListenAddress[];
  /** What outlives a reboot of the host: records, disks, logs. */
  readonly dataFolder: string;
  /** What does not: sockets and pid files. Short. */
  readonly runFolder: string;
  readonly hypervisors: readonly DrivenHypervisor[];
  /** What to offer instead of what the host has. */
  readonly capacity: Partial<Capacity>;
  readonly tokenFile: string | null;
  readonly tls: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string | null } | null;
  readonly log: LogSettings;
  readonly supervisor: SupervisorChoice;
  /** D-Bus address of the service manager: `unix:path=/run/dbus/system_bus_socket`. */
  readonly bus: string;
  /** Executables by point of a VM's life: `before-boot.d/…`. A folder that is not there has none. */
  readonly hooksFolder: string;
  readonly startAfterReboot: StartAfterReboot;
  /** Of one caller, after the first few thousand; 0: not limited. */
  readonly requestsPerSecond: number;
  /** Callers beside the token: names, roles, hashes. Null: none. */
  readonly accessFile: string | null;
  /** Where people may have memory dumps and snapshots written, and disks taken from by hand. */
  readonly allowedRoots: readonly string[];
  /** GET /metrics has series for each VM, too. */
  readonly metricsPerVm: boolean;
  readonly images: {
    /** Of all that is fetched; null: as much as there is. */
    readonly bytesPerSecond: number | null;
    /** Redirects may lead into private networks though the source is not in one. */
    readonly allowPrivate: boolean;
  };
  readonly cloudHypervisor: {
    readonly executable: string;
    /** As its own flag: what happens at a system call it does not know. `errno` and `log` keep guests alive on distributions it was not built for. */
    readonly seccomp: Seccomp;
    readonly landlock: boolean;
  };
  readonly qemu: {
    readonly executable: string;
    readonly accelerator: Accelerator;
    /** Remembers whether KVM works here; agents of one host may share it. */
    readonly cacheFile: string;
  };
}

/** Those that this agent has a driver for. */
export const DRIVEN_HYPERVISORS = ["cloud-hypervisor", "qemu", "noop"] as const satisfies readonly HypervisorKind[];
export type DrivenHypervisor = (typeof DRIVEN_HYPERVISORS)[number];

/** `auto`: systemd where this agent was started by one and may start units, else spawn. */
export const SUPERVISORS = ["auto", "systemd", "spawn"] as const;
export type SupervisorChoice = (typeof SUPERVISORS)[number];

/**
 * Whether guests that ran when their host went down are started when it is back. `auto`: only where nobody else can have
 * started them meanwhile (ADR 0013).
 */
export const START_AFTER_REBOOT = ["auto", "always", "never"] as const;
export type StartAfterReboot = (typeof START_AFTER_REBOOT)[number];

export const SECCOMP = ["true", "log", "errno", "false"] as const;
export type Seccomp = (typeof SECCOMP)[number];

export const ACCELERATORS = ["auto", "kvm", "tcg"] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

export const DEFAULT_DATA_FOLDER = "/var/lib/odorobo";
export const DEFAULT_RUN_FOLDER = "/run/odorobo";
export const DEFAULT_HOOKS_FOLDER = "/etc/odorobo/hooks";
export const DEFAULT_BUS = "unix:path=/run/dbus/system_bus_socket";
export const DEFAULT_LISTEN = `127.0.0.1:${DEFAULT_AGENT_PORT}`;

/** As flags give it. Names are the flags' own, so that messages can say them. */
export interface AgentSettings {
  readonly name?: string | undefined;
  readonly listen?: readonly string[] | undefined;
  readonly data?: string | undefined;
  readonly run?: string | undefined;
  readonly hypervisor?: readonly string[] | undefined;
  readonly cpus?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly tokenFile?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly qemu?: string | undefined;
  readonly accelerator?: string | undefined;
  readonly supervisor?: string | undefined;
  readonly bus?: string | undefined;
  readonly hooks?: string | undefined;
  readonly startAfterReboot?: string | undefined;
  readonly accessFile?: string | undefined;
  readonly rateLimit?: number | undefined;
  readonly allowPath?: readonly string[] | undefined;
  readonly metricsPerVm?: boolean | undefined;
  readonly imageBandwidth?: number | undefined;
  readonly imagePrivateRedirects?: boolean | undefined;
  readonly cloudHypervisor?: string | undefined;
  readonly seccomp?: string | undefined;
  readonly landlock?: boolean | undefined;
}

/** The kernel allows 107 bytes for a socket's path; below the run folder it is `/vms/NAME/console.sock`, and a name of 16 letters should fit. */
const MAX_RUN_FOLDER_BYTES = 107 - "/vms/".length - "/console.sock".length - 16;

/** Throws AGENT_CONFIG or AGENT_INSECURE. */
export function parseAgentConfig(settings: AgentSettings): AgentConfig {
  const runFolder = toRunFolder(settings.run);
  const config: AgentConfig = {
    nodeName: toNodeName(settings.name),
    listen: toListen(settings.listen),
    dataFolder: resolve(settings.data ?? DEFAULT_DATA_FOLDER),
    runFolder,
    hypervisors: (settings.hypervisor ?? DRIVEN_HYPERVISORS).map((kind) =>
      oneOf("hypervisor", DRIVEN_HYPERVISORS, kind),
    ),
    capacity: {
      ...(settings.cpus === undefined ? {} : { cpus: positive("cpus", settings.cpus) }),
      ...(settings.memoryMiB === undefined ? {} : { memoryMiB: positive("memory", settings.memoryMiB) }),
    },
    tokenFile: settings.tokenFile === undefined ? null : resolve(settings.tokenFile),
    tls: toTls(settings),
    log: {
      level: oneOf("log-level", LOG_LEVELS, settings.logLevel ?? "info"),
      format: oneOf("log-format", LOG_FORMATS, settings.logFormat ?? "auto"),
    },
    supervisor: oneOf("supervisor", SUPERVISORS, settings.supervisor ?? "auto"),
    bus: settings.bus ?? DEFAULT_BUS,
    hooksFolder: resolve(settings.hooks ?? DEFAULT_HOOKS_FOLDER),
    startAfterReboot: oneOf("start-after-reboot", START_AFTER_REBOOT, settings.startAfterReboot ?? "auto"),
    requestsPerSecond: settings.rateLimit ?? DEFAULT_REQUESTS_PER_SECOND,
    accessFile: settings.accessFile === undefined ? null : resolve(settings.accessFile),
    allowedRoots: (settings.allowPath ?? []).map((each) => resolve(each)),
    metricsPerVm: settings.metricsPerVm ?? false,
    images: {
      bytesPerSecond:
        settings.imageBandwidth === undefined
          ? null
          : positive("image-bandwidth", settings.imageBandwidth) * 1024 * 1024,
      allowPrivate: settings.imagePrivateRedirects ?? false,
    },
    cloudHypervisor: {
      executable: settings.cloudHypervisor ?? "cloud-hypervisor",
      seccomp: oneOf("seccomp", SECCOMP, settings.seccomp ?? "true"),
      landlock: settings.landlock ?? false,
    },
    qemu: {
      executable: settings.qemu ?? "qemu-system-x86_64",
      accelerator: oneOf("accelerator", ACCELERATORS, settings.accelerator ?? "auto"),
      cacheFile: join(runFolder, "accelerator.json"),
    },
  };
  refuseStrangers(config);
  return config;
}

/** An agent runs programs and gives out disks: who can reach it and nothing else must not be enough. */
function refuseStrangers({ listen, tokenFile, accessFile, tls }: AgentConfig): void {
  if (tokenFile !== null || accessFile !== null || (tls !== null && tls.clientCaFile !== null)) return;
  const open = listen.find((address) => !isLocal(address));
  if (open === undefined) return;
  throw new OdoroboError(
    "AGENT_INSECURE",
    `${formatListenAddress(open)} can be reached from other machines, and anybody would be let in`,
    {
      hint: "give --token-file FILE or --access-file FILE, or --tls-cert, --tls-key and --tls-client-ca; or listen on 127.0.0.1 or unix:///path",
    },
  );
}

function toNodeName(given: string | undefined): NodeName {
  // A host's name may be fully qualified; a node's is one label.
  const name = given ?? hostname().split(".")[0]?.toLowerCase() ?? "";
  if (isDnsLabel(name)) return nodeName(name);
  throw new OdoroboError("AGENT_CONFIG", `${JSON.stringify(name)} is not a node name`, {
    hint: "give --name NAME, as the manifests call this node: lower-case letters, digits and dashes, at most 63",
  });
}

function toListen(given: readonly string[] | undefined): readonly ListenAddress[] {
  const listen = (given === undefined || given.length === 0 ? [DEFAULT_LISTEN] : given).map(parseListenAddress);
  const seen = new Set<string>();
  for (const address of listen) {
    const text = formatListenAddress(address);
    const isAnyPort = address.kind === "tcp" && address.port === 0;
    if (seen.has(text) && !isAnyPort)
      throw new OdoroboError("AGENT_CONFIG", `${text} is given twice`, { hint: "give each --listen once" });
    seen.add(text);
  }
  return listen;
}

function toRunFolder(given: string | undefined): string {
  const folder = resolve(given ?? DEFAULT_RUN_FOLDER);
  if (Buffer.byteLength(folder) <= MAX_RUN_FOLDER_BYTES) return folder;
  throw new OdoroboError("AGENT_CONFIG", `the run folder ${folder} has too long a path for the sockets in it`, {
    hint: `choose one of at most ${MAX_RUN_FOLDER_BYTES} characters with --run; the shorter, the longer VM names may be`,
  });
}

function toTls({ tlsCert, tlsKey, tlsClientCa }: AgentSettings): AgentConfig["tls"] {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return null;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new OdoroboError(
      "AGENT_CONFIG",
      `TLS needs a certificate and its key, and ${tlsCert === undefined ? "--tls-cert" : "--tls-key"} is missing`,
      {
        hint: "give --tls-cert FILE and --tls-key FILE; --tls-client-ca FILE to ask clients for certificates",
      },
    );
  }
  const clientCaFile = tlsClientCa === undefined ? null : resolve(tlsClientCa);
  return { certFile: resolve(tlsCert), keyFile: resolve(tlsKey), clientCaFile };
}

function oneOf<Word extends string>(flag: string, words: readonly Word[], text: string): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new OdoroboError("AGENT_CONFIG", `--${flag} cannot be ${JSON.stringify(text)}`, {
    hint: `it is one of ${words.join(", ")}`,
  });
}

function positive(flag: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new OdoroboError("AGENT_CONFIG", `--${flag} must be a whole number above zero`);
}
