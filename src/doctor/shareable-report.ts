/** A node's report as a stranger may read it: what people write into specs and guests say on their consoles is left out. Pure. */
import type { GuestEvent, LiveConfig, NodeReport, VmReport } from "../model/observed-state.ts";
import type { BootSource, CloudInit, VmSpec } from "../model/vm-spec.ts";

const LEFT_OUT = "[left out]";

export const shareableReport = (report: NodeReport): NodeReport => ({ ...report, vms: report.vms.map(shareableVm) });

function shareableVm(vm: VmReport): VmReport {
  return {
    ...vm,
    spec: { ...vm.spec, ...hidden(vm.spec), annotations: keysOf(vm.spec.annotations) },
    live: vm.live === null ? null : { ...vm.live, ...hidden(vm.live) },
    // Both sides of a difference may be of any of these.
    drift: vm.drift.map(({ path }) => ({ path, applied: LEFT_OUT, live: LEFT_OUT })),
    ...(vm.lastEvent === undefined ? {} : { lastEvent: withoutWords(vm.lastEvent) }),
  };
}

function hidden({ boot, cloudInit, passthrough }: VmSpec | LiveConfig) {
  return {
    boot: hiddenBoot(boot),
    cloudInit: hiddenCloudInit(cloudInit),
    passthrough: keysOf(passthrough),
  };
}

const hiddenBoot = (boot: BootSource): BootSource => (boot.kind === "kernel" ? { ...boot, cmdline: LEFT_OUT } : boot);

const hiddenCloudInit = (cloudInit: CloudInit | null): CloudInit | null =>
  cloudInit === null ? null : { ...cloudInit, sshKeys: cloudInit.sshKeys.map(() => LEFT_OUT) };

const keysOf = (values: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.keys(values).map((key) => [key, LEFT_OUT]));

const withoutWords = (event: GuestEvent): GuestEvent => ({ ...event, console: [], log: [] });
