/**
 * A fleet as large teams keep one: a file of about 20 lines per VM, in folders by tier and application; profiles in layers,
 * groups, anti-affinity by node and rack, images, networks, cloud-init texts that files refer to. Every tenth VM is pinned to a node.
 */

export interface FleetSize {
  readonly vms: number;
  readonly nodes: number;
}

export interface FleetFile {
  readonly path: string;
  readonly text: string;
}

export const FLEET_NAME = "bench";
/** The VMs of one application stay apart, so there are at most as many as nodes. */
const MEMBERS = 10;
const TIERS = ["web", "db", "worker"] as const;

export const nodeNameOf = (index: number): string => `n-${pad(index)}`;

/** A short path: Unix sockets allow 107 bytes. */
export const socketOf = (sockets: string, node: string): string => `${sockets}/${node}`;

/** Where a VM runs already. Neighbours in an application are on different nodes. */
export const homeOf = (vm: number, { nodes }: FleetSize): string => nodeNameOf(vm % nodes);

export function* fleetFiles(size: FleetSize, sockets: string): Generator<FleetFile> {
  yield { path: "fleet.yaml", text: FLEET };
  yield { path: "shared.yaml", text: SHARED };
  yield { path: "profiles.yaml", text: PROFILES };
  for (const tier of TIERS) yield { path: `user-data/${tier}.yaml`, text: userData(tier) };
  for (let node = 0; node < size.nodes; node++)
    yield { path: `nodes/${nodeNameOf(node)}.yaml`, text: nodeText(node, sockets) };
  const members = Math.min(MEMBERS, size.nodes);
  for (let vm = 0; vm < size.vms; vm++) {
    const app = Math.floor(vm / members);
    const tier = TIERS[app % TIERS.length] ?? "web";
    const folder = `vms/${tier}/app-${pad(app)}`;
    if (vm % members === 0) yield { path: `${folder}/group.yaml`, text: groupText(app) };
    yield { path: `${folder}/${tier}-${pad(vm)}.yaml`, text: vmText(vm, app, tier, size) };
  }
}

const pad = (index: number): string => String(index).padStart(5, "0");

const FLEET = `apiVersion: odorobo.dev/v1
kind: Fleet
metadata:
  name: ${FLEET_NAME}
spec:
  defaults:
    hypervisor: cloud-hypervisor
    boot: { firmware: /usr/share/cloud-hypervisor/CLOUDHV.fd }
    cloudInit:
      sshKeys:
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmLPZz5p8m1o1hVnR6LSvLbRkO3JrOlXWRqnXw0F4tQ operator@example.net
    shutdownGrace: 2m
  policy:
    destroyGuard: { percent: 5, count: 2 }
`;

const SHARED = `apiVersion: odorobo.dev/v1
kind: Network
metadata:
  name: front
spec: { type: bridge, bridge: br-front }
---
apiVersion: odorobo.dev/v1
kind: Network
metadata:
  name: storage
spec: { type: bridge, bridge: br-storage }
---
apiVersion: odorobo.dev/v1
kind: Image
metadata:
  name: debian-12
spec:
  path: /var/lib/odorobo/images/debian-12-genericcloud-amd64.qcow2
---
apiVersion: odorobo.dev/v1
kind: Image
metadata:
  name: ubuntu-24-04
spec:
  path: /var/lib/odorobo/images/noble-server-cloudimg-amd64.img
  format: qcow2
`;

const PROFILES = `apiVersion: odorobo.dev/v1
kind: Profile
metadata:
  name: server
spec:
  cpus: { count: 2, max: 8 }
  memory: { size: 4GiB, max: 16GiB }
  ready: { serial: "login:", timeout: 3m }
  migration: { mode: live, downtime: 300ms, timeout: 10m }
  cloudHypervisor:
    rng: { src: /dev/urandom }
    watchdog: true
${TIERS.map(
  (tier) => `---
apiVersion: odorobo.dev/v1
kind: Profile
metadata:
  name: ${tier}
spec:
  base: server
  onDrain: migrate
  cloudInit: { userData: ./user-data/${tier}.yaml }
`,
).join("")}`;

const userData = (tier: string): string => `#cloud-config
packages: [nftables, prometheus-node-exporter]
write_files:
  - path: /etc/tier
    content: ${tier}
`;

const nodeText = (node: number, sockets: string): string => `apiVersion: odorobo.dev/v1
kind: Node
metadata:
  name: ${nodeNameOf(node)}
  labels: { rack: r-${pad(Math.floor(node / 10))}, storage: nvme }
spec:
  address: unix://${socketOf(sockets, nodeNameOf(node))}
  reserved: { cpus: 2, memory: 4GiB }
  overcommit: { cpus: 3 }
`;

const groupText = (app: number): string => `apiVersion: odorobo.dev/v1
kind: Group
metadata:
  name: app-${pad(app)}
spec:
  maxUnavailable: 1
`;

function vmText(vm: number, app: number, tier: string, size: FleetSize): string {
  const at = `${Math.floor(vm / 200) % 200}.${(vm % 200) + 10}`;
  const image = vm % 3 === 0 ? "ubuntu-24-04" : "debian-12";
  const where = vm % 10 === 0 ? `node: ${homeOf(vm, size)}` : "selector: { storage: nvme }";
  return `apiVersion: odorobo.dev/v1
kind: VirtualMachine
metadata:
  name: ${tier}-${pad(vm)}
  labels: { app: app-${pad(app)}, tier: ${tier}, team: team-${app % 7} }
  annotations: { owner: "team-${app % 7}@example.net" }
spec:
  profile: ${tier}
  placement:
    ${where}
    antiAffinity:
      - { match: { app: app-${pad(app)} }, per: node }
      - { match: { app: app-${pad(app)} }, per: rack, required: false }
  cpus: { count: ${2 + (vm % 2)} }
  disks:
    - { name: root, image: ${image}, size: ${20 + (vm % 3) * 10}GiB }
    - { name: data, source: "rbd://ssd/${tier}-${pad(vm)}-data" }
  nics:
    - { name: eth0, network: front, address: 10.20.${at}/16 }
    - { name: eth1, network: storage, address: 10.30.${at}/16 }
  group: app-${pad(app)}
`;
}
