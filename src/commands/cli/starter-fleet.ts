/** What `odorobo init` writes: the smallest fleet that runs, with the words one needs next. Each text is what a person would type. */
import type { HypervisorKind } from "../../model/vm-spec.ts";
import { EDITOR_SCHEMA_PATH, schemaLine } from "./editor-schema.ts";
import type { NewFile } from "./new-folder.ts";

export interface Starter {
  /** A DNS label. */
  readonly fleet: string;
  readonly hypervisor: HypervisorKind;
  /** The text of the schema for editors. */
  readonly schema: string;
}

export const STARTER_NODE = "local";

export const starterFleet = ({ fleet, hypervisor, schema }: Starter): NewFile[] => [
  {
    path: "fleet.yaml",
    text: `${schemaLine("fleet.yaml")}
apiVersion: odorobo.dev/v1
kind: Fleet
metadata:
  name: ${fleet}
spec:
  defaults:
    hypervisor: ${hypervisor} # cloud-hypervisor, qemu, propolis, or noop to rehearse without one
`,
  },
  {
    path: `nodes/${STARTER_NODE}.yaml`,
    text: `${schemaLine(`nodes/${STARTER_NODE}.yaml`)}
# One file for each server that runs: odorobo agent
apiVersion: odorobo.dev/v1
kind: Node
metadata:
  name: ${STARTER_NODE}
spec:
  address: http://127.0.0.1:8890
`,
  },
  {
    path: "vms/hello.yaml",
    text: `${schemaLine("vms/hello.yaml")}
# A guest that comes with odorobo: it counts aloud on its serial line and answers the power button.
apiVersion: odorobo.dev/v1
kind: VirtualMachine
metadata:
  name: hello
  labels: { app: hello }
spec:
  cpus: 1
  memory: 64MiB
  boot: { kernel: "builtin:tiny" }
`,
  },
  { path: EDITOR_SCHEMA_PATH, text: schema },
  {
    path: "README.md",
    text: `# ${fleet}: virtual machines, from this repository. \`odorobo plan\` shows what would change, \`odorobo apply\` does it.
`,
  },
];
