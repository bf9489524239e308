/** What `odorobo init` writes: the smallest fleet that runs, with the words one needs next. Each text is what a person would type. */
import type { HypervisorKind } from "../../model/vm-spec.ts";
import { EDITOR_SCHEMA_PATH, schemaLine } from "./editor-schema.ts";
import type { StarterImage } from "./init/known-images.ts";
import type { NewFile } from "./new-folder.ts";

export interface Starter {
  /** A DNS label. */
  readonly fleet: string;
  readonly hypervisor: HypervisorKind;
  /** The text of the schema for editors. */
  readonly schema: string;
  /** Null: the guest that comes with odorobo. */
  readonly image: StarterImage | null;
  /** Public; null: there is none. Means something with an image only. */
  readonly sshKey: string | null;
}

export const STARTER_NODE = "local";

export const starterFleet = ({ fleet, hypervisor, schema, image, sshKey }: Starter): NewFile[] => [
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
  ...(image === null ? [tinyGuest] : [imageFile(image), guestOf(image, sshKey)]),
  { path: EDITOR_SCHEMA_PATH, text: schema },
  {
    path: "README.md",
    text: `# ${fleet}: virtual machines, from this repository. \`odorobo plan\` shows what would change, \`odorobo apply\` does it.
`,
  },
];

const tinyGuest: NewFile = {
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
};

const imageFile = ({ name, spec }: StarterImage): NewFile => ({
  path: `images/${name}.yaml`,
  text: `${schemaLine(`images/${name}.yaml`)}
apiVersion: odorobo.dev/v1
kind: Image
metadata:
  name: ${name}
spec:
${spec}
`,
});

const guestOf = ({ name }: StarterImage, sshKey: string | null): NewFile => ({
  path: "vms/hello.yaml",
  text: `${schemaLine("vms/hello.yaml")}
# Once it runs: odorobo vm ssh hello
apiVersion: odorobo.dev/v1
kind: VirtualMachine
metadata:
  name: hello
  labels: { app: hello }
spec:
  cpus: 1
  memory: 1GiB
  image: ${name}
  size: 10GiB
  # A network of the hypervisor's own: no bridge, no root. A port of the node, which its agent chooses, leads to the guest's 22.
  nics: [{ name: eth0, forwards: [22] }]
  cloudInit:
${sshKey === null ? "    # Who may log in: the public half of ssh-keygen -t ed25519\n    sshKeys: []" : `    sshKeys: [${JSON.stringify(sshKey)}]`}
`,
});
