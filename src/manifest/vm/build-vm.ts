/**
 * The merged layers of one VM → its VmSpec and placement: what nobody wrote gets its default, and fields that do not go
 * together are found.
 *
 *   layer.ts → merge-layers.ts → [build-vm.ts] → between-vms.ts → DesiredVm
 */

import type { Placement } from "../../model/desired-state.ts";
import { byName, type NodeName, nodeName } from "../../model/names.ts";
import type { BootSource, CloudInit, HypervisorKind, ReadyProbe, VmSpec } from "../../model/vm-spec.ts";
import type { Finding, ReportField } from "../text/source-document.ts";
import { buildDisks, buildNics } from "./build-devices.ts";
import { buildRules } from "./build-rules.ts";
import type { Catalog } from "./catalog.ts";
import type { LayerValues } from "./layer.ts";
import { sortKeys } from "./sort-keys.ts";

/** What a VM has when nobody says otherwise. The schemas' descriptions tell them to users. */
const DEFAULTS = {
  hypervisor: "cloud-hypervisor",
  runStrategy: "Always",
  cpus: 1,
  memoryMiB: 1024,
  firmware: "default",
  readyTimeoutSeconds: 120,
  migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 600 },
  onDrain: "migrate",
  retainDisksSeconds: 7 * 86_400,
  /** systemd's own default (DefaultTimeoutStopSec): an admin who tuned one expects the other. */
  shutdownGraceSeconds: 90,
} as const;

export interface VmParts {
  readonly labels: Readonly<Record<string, string>> | null | undefined;
  readonly annotations: Readonly<Record<string, string>> | null | undefined;
  readonly values: LayerValues;
  readonly catalog: Catalog;
  readonly report: ReportField;
}

/** NICs whose MAC address is still to be derived have an empty one. */
export function buildSpec({ labels, annotations, values, catalog, report }: VmParts): VmSpec {
  const hypervisor = values.hypervisor ?? DEFAULTS.hypervisor;
  const disks = buildDisks(values.disks ?? [], catalog, report);
  return {
    hypervisor,
    runStrategy: values.runStrategy ?? DEFAULTS.runStrategy,
    labels: sortKeys(labels),
    annotations: sortKeys(annotations),
    cpus: buildCpus(values, report),
    memory: buildMemory(values, report),
    boot: buildBoot(values, (values.disks ?? []).length > 0, report),
    disks,
    nics: buildNics(values.nics ?? [], catalog, report),
    cloudInit: buildCloudInit(values),
    ready: buildReady(values, report),
    migration: {
      mode: values.migration?.mode ?? DEFAULTS.migration.mode,
      downtimeMs: values.migration?.downtime ?? DEFAULTS.migration.downtimeMs,
      timeoutSeconds: values.migration?.timeout ?? DEFAULTS.migration.timeoutSeconds,
    },
    onDrain: values.onDrain ?? DEFAULTS.onDrain,
    group: values.group ?? null,
    protect: values.protect ?? false,
    retainDisksSeconds: values.retain?.disks ?? DEFAULTS.retainDisksSeconds,
    // Not spelled out: agents of before refuse what they do not know, and it is the agent's own default.
    ...(values.retain?.moved == null ? {} : { retainMovedSeconds: values.retain.moved }),
    shutdownGraceSeconds: values.shutdownGrace ?? DEFAULTS.shutdownGraceSeconds,
    weights: { cpu: values.weights?.cpu ?? null, io: values.weights?.io ?? null },
    passthrough: sortDeep(passthroughFor(hypervisor, values)) as VmSpec["passthrough"],
  };
}

export function buildPlacement({ placement }: LayerValues, report: ReportField): Placement {
  if (placement?.node && placement.nodes) report(["placement", "nodes"], conflict("placement has both node and nodes"));
  const nodes = placement?.node ? [placement.node] : (placement?.nodes ?? []);
  const { nodeAffinity, affinity, antiAffinity, spread } = buildRules(placement ?? {}, report);
  return {
    nodes: [...new Set<NodeName>(nodes.map(nodeName))].sort(byName),
    selector: sortKeys(placement?.selector),
    ...(nodeAffinity.length === 0 ? {} : { nodeAffinity }),
    affinity,
    antiAffinity,
    ...(spread.length === 0 ? {} : { spread }),
  };
}

function buildCpus({ cpus }: LayerValues, report: ReportField): VmSpec["cpus"] {
  const count = cpus?.count ?? DEFAULTS.cpus;
  const max = cpus?.max ?? count;
  if (max < count)
    report(["cpus", "max"], {
      code: "conflicting-fields",
      message: `cpus.max is ${max}, less than cpus.count, ${count}`,
      hint: `at least ${count}, or leave it out`,
    });
  return { count, max };
}

function buildMemory({ memory }: LayerValues, report: ReportField): VmSpec["memory"] {
  const sizeMiB = memory?.size ?? DEFAULTS.memoryMiB;
  const maxMiB = memory?.max ?? sizeMiB;
  if (maxMiB < sizeMiB)
    report(["memory", "max"], {
      code: "conflicting-fields",
      message: `memory.max is ${maxMiB}MiB, less than memory.size, ${sizeMiB}MiB`,
      hint: `at least ${sizeMiB}MiB, or leave it out`,
    });
  return { sizeMiB, maxMiB };
}

function buildBoot({ boot }: LayerValues, hasDisks: boolean, report: ReportField): BootSource {
  if (boot?.kernel) {
    if (boot.firmware) report(["boot", "firmware"], conflict("boot has both kernel and firmware"));
    return { kind: "kernel", kernel: boot.kernel, initramfs: boot.initramfs ?? null, cmdline: boot.cmdline ?? "" };
  }
  for (const field of ["initramfs", "cmdline"] as const)
    if (boot?.[field])
      report(["boot", field], {
        code: "conflicting-fields",
        message: `boot.${field} is for a kernel, and there is none`,
        hint: "add boot.kernel",
      });
  if (!hasDisks)
    report(["boot"], {
      code: "nothing-to-boot",
      message: "this VM has neither a disk nor a kernel to boot",
      hint: "add image and size, or boot.kernel (builtin:tiny is the guest that odorobo brings along)",
    });
  return { kind: "firmware", firmware: boot?.firmware ?? DEFAULTS.firmware };
}

function buildCloudInit({ cloudInit }: LayerValues): CloudInit | null {
  const {
    userData = null,
    networkConfig = null,
    sshKeys,
    instance = null,
    user,
    vendorData,
    metaDataText,
  } = cloudInit ?? {};
  const texts = [userData, networkConfig, vendorData, metaDataText];
  if (texts.every((text) => text == null) && !sshKeys?.length) return null;
  return {
    ...{ userData, networkConfig, sshKeys: sshKeys ?? [] },
    // Not spelled out where there is none: agents of before refuse what they do not know.
    ...(instance === null ? {} : { instance }),
    ...(user == null ? {} : { user }),
    ...(vendorData == null ? {} : { vendorData }),
    ...(metaDataText === undefined ? {} : { metaData: metaDataText }),
  };
}

function buildReady({ ready }: LayerValues, report: ReportField): ReadyProbe | null {
  if (!ready) return null;
  const timeoutSeconds = ready.timeout ?? DEFAULTS.readyTimeoutSeconds;
  if (ready.serial && ready.tcp) report(["ready", "tcp"], conflict("ready has both serial and tcp"));
  if (ready.serial) return { kind: "serial", pattern: ready.serial, timeoutSeconds };
  if (ready.tcp) return { kind: "tcp", port: ready.tcp, timeoutSeconds };
  report(["ready"], {
    code: "missing-field",
    message: "ready does not say what to wait for",
    hint: "add serial or tcp",
  });
  return null;
}

/** A profile may hold settings for several hypervisors: those of the VM's own are taken. */
function passthroughFor(hypervisor: HypervisorKind, values: LayerValues): Readonly<Record<string, unknown>> {
  if (hypervisor === "cloud-hypervisor") return values.cloudHypervisor ?? {};
  if (hypervisor === "qemu") return values.qemu ?? {};
  return {};
}

const conflict = (message: string): Finding => ({
  code: "conflicting-fields",
  message,
  hint: "keep one of them; null takes away what a profile says",
});

function sortDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortDeep);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => byName(a, b))
      .map(([key, each]) => [key, sortDeep(each)]),
  );
}
