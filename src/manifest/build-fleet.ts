/** Fleet, nodes, groups, and what networks and images must say: the documents that are no VM. */
import { isWorse } from "../model/change-class.ts";
import {
  DEFAULT_GATEWAY_POLICY,
  DEFAULT_POLICY,
  type DesiredNode,
  DISRUPTIVE_CLASSES,
  type DisruptionRule,
  type DisruptiveClass,
  type FleetPolicy,
  type FleetSettings,
  type GatewayPolicy,
  type Group,
  type Maintenance,
} from "../model/desired-state.ts";
import type { FleetDocument, GatewayPolicyManifest, NodeDocument } from "../model/documents.ts";
import { byName, type Instant, instant, nodeName } from "../model/names.ts";
import type { Window } from "../model/windows/window.ts";
import type { Diagnostic } from "./text/diagnostic.ts";
import type { Segments } from "./text/places.ts";
import { diagnose, type SourceDocument, whereNamed } from "./text/source-document.ts";
import { windowsOf } from "./vm/build-windows.ts";
import type { Catalog } from "./vm/catalog.ts";
import { checkImageSpec } from "./vm/image-source.ts";
import { checkNetworks } from "./vm/networks/check-networks.ts";
import { parseRateMiBps, parseSizeMiB } from "./vm/quantities.ts";
import { positionOf } from "./vm/where-is.ts";

type Report = (found: Diagnostic) => void;

/** As OpenStack Nova's reserved_host_memory_mb and cpu_allocation_ratio: what operators of shared hosts start from. */
const NODE_DEFAULTS = { reservedCpus: 0, reservedMemoryMiB: 512, overcommitCpus: 4, overcommitMemory: 1 } as const;

export function buildFleet(catalog: Catalog, report: Report): FleetSettings | null {
  const [fleet] = catalog.all("Fleet");
  if (fleet === undefined) return null;
  const { metadata, spec } = fleet.content;
  const own = windowsOf(fleet, spec?.policy?.gateway?.windows, ["spec", "policy", "gateway", "windows"], report);
  const { destroyGuard, maxClass, parallelism, disruption, moves, gateway } = spec?.policy ?? {};
  const windows = windowsOf(fleet, spec?.policy?.windows, ["spec", "policy", "windows"], report);
  const rules = DISRUPTIVE_CLASSES.flatMap((each): [DisruptiveClass, DisruptionRule][] => {
    const says = disruption?.[each] ?? null;
    const source = positionOf({ document: fleet, at: ["spec", "policy", "disruption", each] });
    return says === null ? [] : [[each, { says, source }]];
  });
  const policy: FleetPolicy = {
    maxClass: maxClass ?? DEFAULT_POLICY.maxClass,
    ...(rules.length === 0 ? {} : { disruption: Object.fromEntries(rules) }),
    ...(windows.length === 0 ? {} : { windows }),
    ...(moves?.total || moves?.perNode
      ? { moves: { total: moves.total ?? null, perNode: moves.perNode ?? null } }
      : {}),
    destroyGuard: {
      percent: destroyGuard?.percent ?? DEFAULT_POLICY.destroyGuard.percent,
      count: destroyGuard?.count ?? DEFAULT_POLICY.destroyGuard.count,
    },
    parallelism: {
      total: parallelism?.total ?? DEFAULT_POLICY.parallelism.total,
      perNode: parallelism?.perNode ?? DEFAULT_POLICY.parallelism.perNode,
    },
    ...(gateway ? { gateway: gatewayOf(gateway, own) } : {}),
  };
  if (gateway) warnOfFutileApprovals(fleet, policy, report);
  return { name: metadata.name, policy };
}

const gatewayOf = (
  { auto, approve, suspend, healDrift }: NonNullable<GatewayPolicyManifest>,
  windows: readonly Window[],
): GatewayPolicy => ({
  auto: auto ?? DEFAULT_GATEWAY_POLICY.auto,
  approve: approve ?? DEFAULT_GATEWAY_POLICY.approve,
  suspend: suspend ?? DEFAULT_GATEWAY_POLICY.suspend,
  healDrift: healDrift ?? DEFAULT_GATEWAY_POLICY.healDrift,
  ...(windows.length === 0 ? {} : { windows }),
});

/** What is refused anyway would wait for an approval that changes nothing. */
function warnOfFutileApprovals(
  fleet: SourceDocument<FleetDocument>,
  { maxClass, disruption, gateway }: FleetPolicy,
  report: Report,
): void {
  for (const [index, each] of (gateway?.approve ?? []).entries()) {
    const rule = disruption?.[each as DisruptiveClass];
    const isTooBad = maxClass !== null && isWorse(each, maxClass);
    if (!isTooBad && rule?.says !== "refuse") continue;
    const why = isTooBad ? `policy.maxClass is ${maxClass}` : `policy.disruption refuses it`;
    const message = `${each} is refused whoever approves it: ${why}`;
    const hint = "leave it out here, or allow it there";
    const at = ["spec", "policy", "gateway", "approve", index];
    report(diagnose(fleet, at, { code: "no-effect", severity: "warning", message, hint }));
  }
}

export function buildNodes(catalog: Catalog, report: Report): DesiredNode[] {
  const addresses = new Map<string, SourceDocument>();
  const nodes = catalog.all("Node").map((document): DesiredNode => {
    const { metadata, spec } = document.content;
    const address = spec.address.replace(/\/$/, "");
    const first = addresses.get(address);
    if (first === undefined) addresses.set(address, document);
    else
      report(
        diagnose(document, ["spec", "address"], {
          code: "duplicate-address",
          message: `node ${first.content.metadata.name} has this address too`,
          hint: `it is in ${whereNamed(first)}; two nodes are two agents`,
        }),
      );
    const windows = windowsOf(document, spec.windows, ["spec", "windows"], report);
    const rate = rateOf(document, spec.network?.migrationBandwidth, report);
    return {
      name: nodeName(metadata.name),
      address,
      labels: metadata.labels ?? {},
      reserved: {
        cpus: spec.reserved?.cpus ?? NODE_DEFAULTS.reservedCpus,
        memoryMiB: memoryOf(document, spec.reserved?.memory, ["spec", "reserved", "memory"], report),
      },
      overcommit: {
        cpus: spec.overcommit?.cpus ?? NODE_DEFAULTS.overcommitCpus,
        memory: spec.overcommit?.memory ?? NODE_DEFAULTS.overcommitMemory,
      },
      cordoned: spec.cordoned ?? false,
      fenced: spec.fenced ?? false,
      maintenance: maintenanceOf(document, spec.maintenance, report),
      ...(windows.length === 0 ? {} : { windows }),
      ...(rate === null ? {} : { migrationMiBps: rate }),
      source: positionOf({ document, at: ["metadata", "name"] }),
    };
  });
  return nodes.sort((a, b) => byName(a.name, b.name));
}

/** What is wrong with it is told, and it counts as meant: a node that is to be worked on takes no VM because of a typo. */
function maintenanceOf(
  document: SourceDocument,
  written: NodeDocument["spec"]["maintenance"],
  report: Report,
): Maintenance | null {
  if (!written) return null;
  if (written === true) return { from: null, until: null, reason: null };
  const at = ["spec", "maintenance"];
  const timeOf = (key: "from" | "until"): Instant | null => {
    const text = written[key] ?? null;
    const moment = text === null ? null : toInstant(text);
    if (text !== null && moment === null) {
      const message = `there is no such time: ${text}`;
      report(diagnose(document, [...at, key], { code: "bad-value", message, hint: "such as 2026-12-01T22:00:00Z" }));
    }
    return moment;
  };
  const [from, until] = [timeOf("from"), timeOf("until")];
  if (from !== null && until !== null && Date.parse(until) <= Date.parse(from)) {
    const message = "this maintenance ends before it begins";
    report(
      diagnose(document, [...at, "until"], { code: "conflicting-fields", message, hint: "until comes after from" }),
    );
  }
  return { from, until, reason: written.reason ?? null };
}

/** Null: a 31st of February, a 25th hour. */
function toInstant(text: string): Instant | null {
  const [, day, hours = "", offset = "Z"] = /^(.{10})T(.{5}).*?(Z|[+-].{5})$/.exec(text) ?? [];
  const moment = new Date(text);
  if (day === undefined || Number.isNaN(moment.getTime())) return null;
  // Some engines roll a day that does not exist over into the next month.
  const isThere =
    new Date(`${day}T00:00:00Z`).toISOString().startsWith(day) && hours < "24:00" && offset.slice(1) < "24:00";
  return isThere ? instant(moment.toISOString()) : null;
}

function memoryOf(document: SourceDocument, size: string | null | undefined, at: Segments, report: Report): number {
  if (!size) return NODE_DEFAULTS.reservedMemoryMiB;
  // Nothing at all is a fair answer here, and only here.
  if (Number.parseFloat(size) === 0) return 0;
  const parsed = parseSizeMiB(size);
  if (parsed.ok) return parsed.value;
  report(diagnose(document, at, { code: "bad-size", message: parsed.message, hint: parsed.hint }));
  return NODE_DEFAULTS.reservedMemoryMiB;
}

/** Null: nobody has said one that can be read. */
function rateOf(document: SourceDocument, rate: string | null | undefined, report: Report): number | null {
  if (!rate) return null;
  const parsed = parseRateMiBps(rate);
  if (parsed.ok) return parsed.value;
  const { message, hint } = parsed;
  report(diagnose(document, ["spec", "network", "migrationBandwidth"], { code: "bad-value", message, hint }));
  return null;
}

export const buildGroups = (catalog: Catalog, report: Report): Group[] =>
  catalog
    .all("Group")
    .map((document) => {
      const { metadata, spec } = document.content;
      const windows = windowsOf(document, spec?.windows, ["spec", "windows"], report);
      return {
        name: metadata.name,
        maxUnavailable: spec?.maxUnavailable ?? 1,
        ...(windows.length === 0 ? {} : { windows }),
      };
    })
    .sort((a, b) => byName(a.name, b.name));

export function checkNetworksAndImages(catalog: Catalog, report: Report): void {
  checkNetworks(catalog, report);
  for (const document of catalog.all("Image")) {
    if (document.isBroken) continue;
    checkImageSpec(document.content.spec, (at, mistake) => report(diagnose(document, ["spec", ...at], mistake)));
  }
}
