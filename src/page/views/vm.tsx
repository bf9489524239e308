/** One VM: what it should be, what it is, what happened to it, and its console. */
import type { GatewayVm } from "../../report/gateway/page-documents.ts";
import { ofVm } from "../data/concerns.ts";
import { useResource } from "../data/resource.ts";
import { Loading, Trouble } from "../parts/message.tsx";
import { type Shortcut, useShortcuts } from "../parts/shortcuts.ts";
import { signOfVm } from "../parts/signs.ts";
import { State, Tag } from "../parts/state.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { Since } from "../parts/when.tsx";
import { goTo, VM_TABS, type VmTab, vmHref } from "../route.ts";
import { ConsoleTab } from "../vm/console-tab.tsx";
import { EventsTab } from "../vm/events-tab.tsx";
import { HistoryTab } from "../vm/history-tab.tsx";
import { LogTab } from "../vm/log-tab.tsx";
import { NowTab } from "../vm/now-tab.tsx";

const TITLES: Readonly<Record<VmTab, readonly [string, string]>> = {
  now: ["Now", "n"],
  events: ["Events", "e"],
  log: ["Log", "l"],
  history: ["History", "h"],
  console: ["Console", "c"],
};

interface VmViewProps {
  readonly fleet: string;
  readonly vm: string;
  readonly tab: VmTab;
}

export function VmView({ fleet, vm, tab }: VmViewProps) {
  const path = `/v1/fleets/${encodeURIComponent(fleet)}/vms/${encodeURIComponent(vm)}`;
  const { document, refused } = useResource<GatewayVm>(path, ofVm(fleet, vm));
  useShortcuts(
    VM_TABS.map(
      (each): Shortcut => ({
        keys: TITLES[each][1],
        what: `the VM's ${TITLES[each][0].toLowerCase()}`,
        act: () => goTo(vmHref(fleet, vm, each)),
      }),
    ),
  );
  if (document === null)
    return refused === null ? <Loading what={`the VM ${vm}`} /> : <Trouble refused={refused} what={vm} />;
  const { row, live, desired } = document;
  return (
    <div class={tab === "console" || tab === "log" ? "vm fills" : "vm"}>
      <div class="head">
        <h1>{vm}</h1>
        <State sign={signOfVm(row)} {...(row.phase === "running" && row.ready === true ? { more: "ready" } : {})} />
        {live === null || row.phase === "unknown" ? null : (
          <span class="hint">
            <Since at={live.report.since} />
          </span>
        )}
        {row.node === null ? null : <span class="hint">on {row.node}</span>}
        {desired === null ? <Tag tone="warn" text="in no manifest" /> : null}
        {row.drift === null ? null : <Tag tone="warn" text="drift" />}
        {row.pending ? <Tag tone="note" text="pending" /> : null}
        {refused === null ? null : <Tag tone="bad" text="not up to date" title={refused.message} />}
      </div>
      <Tabs
        label={`Of ${vm}`}
        current={tab}
        tabs={VM_TABS.map((key) => ({ key, title: TITLES[key][0], href: vmHref(fleet, vm, key) }))}
      />
      {tab === "now" ? <NowTab vm={document} /> : null}
      {tab === "events" ? <EventsTab path={path} concerns={ofVm(fleet, vm)} /> : null}
      {tab === "log" ? <LogTab path={path} vm={vm} /> : null}
      {tab === "history" ? <HistoryTab path={path} /> : null}
      {tab === "console" ? <ConsoleTab path={path} vm={vm} /> : null}
    </div>
  );
}
