/** All that is known of one VM (`schemas/gateway-vm.schema.json`). Pure. */
import type { Instant, VmName } from "../../model/names.ts";
import type { SourcePosition } from "../../model/source-position.ts";
import { type ForgeLinks, fileLink } from "./forge-links.ts";
import type { GatewayVm, LinkedPosition, VmRow } from "./page-documents.ts";
import { type Sighting, sightsOf } from "./sighting.ts";
import { desiredNamed, driftedIn, pendingIn } from "./to-vm-rows.ts";

export interface VmPageContext {
  /** Of the gateway's entry. */
  readonly fleet: string;
  readonly now: Instant;
  readonly row: VmRow;
  /** That the manifests of `sighting` are of. */
  readonly revision: string | null;
  readonly commit: string | null;
  readonly links: ForgeLinks | null;
}

export function toVmPage(sighting: Sighting, context: VmPageContext): GatewayVm {
  const { fleet, now, row, links } = context;
  const { name } = row;
  const { plan } = sighting;
  const desired = desiredNamed(sighting, name);
  const sight = sightsOf(sighting).get(name);
  return {
    kind: "GatewayVm",
    version: 1,
    ...{ fleet, now, seenAt: sighting.observed.at, name, row, links },
    desired:
      desired === undefined
        ? null
        : {
            spec: desired.spec,
            placement: desired.placement,
            ignore: desired.ignore,
            ...(desired.windows === undefined ? {} : { windows: desired.windows }),
            source: linked(desired.source, context),
            revision: context.revision,
            commit: context.commit,
          },
    live: sight === undefined ? null : { report: sight.report, node: sight.node, silentSince: sight.silentSince },
    drift: sight === undefined || sight.silentSince !== null ? [] : driftedIn(sight.report),
    pending: sight === undefined ? [] : pendingIn(sight.report),
    unreadable: unreadableBecause(sighting, name),
    plan: {
      id: plan.id,
      change: plan.changes.find((each) => each.name === name) ?? null,
      waiting: plan.waiting?.find(({ change }) => change.name === name) ?? null,
      blocked: plan.blocked.find((each) => each.name === name) ?? null,
      unknown: plan.unknown.find((each) => each.kind === "VirtualMachine" && each.name === name) ?? null,
    },
  };
}

const linked = (
  source: SourcePosition | null,
  { links, commit }: Pick<VmPageContext, "links" | "commit">,
): LinkedPosition | null => (source === null ? null : { ...source, link: fileLink(links, commit, source) });

function unreadableBecause({ observed }: Sighting, name: VmName): string | null {
  for (const node of observed.nodes) {
    if (node.reach === "silent") continue;
    const found = node.report.unreadable?.find((vm) => vm.name === name);
    if (found !== undefined) return `${node.name}: ${found.problem}`;
  }
  return null;
}
