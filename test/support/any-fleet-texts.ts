/** Any valid fleet, as texts, for property tests. Small names collide often, which is where mistakes are. */
import fc from "fast-check";
import { stringify } from "yaml";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";

type Json = Readonly<Record<string, unknown>>;

const size = fc.constantFrom("64MiB", "1GiB", "1.5GiB", "2G", "1048576KiB");
const duration = fc.constantFrom("5s", "2m", "1h30m", "7d");
const label = fc.record({ app: fc.constantFrom("web", "db", "1") }, { requiredKeys: [] });
const sometimes = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const partialSpec = fc.record(
  {
    hypervisor: fc.constantFrom("noop", "qemu", "cloud-hypervisor"),
    runStrategy: fc.constantFrom("Always", "Manual", "Stopped", null),
    cpus: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant({ count: 1, max: 4 }), fc.constant({ max: 8 })),
    memory: fc.oneof(fc.constant("64MiB"), fc.constant({ size: "64MiB", max: "4GiB" }), fc.constant({ max: "4GiB" })),
    onDrain: fc.constantFrom("migrate", "stop", null),
    group: fc.constantFrom("g", null),
    protect: fc.boolean(),
    ready: fc.constantFrom(
      { serial: "up", tcp: null },
      { serial: "login: # no comment", tcp: null, timeout: "5s" },
      null,
    ),
    retain: fc.record({ disks: duration }),
    shutdownGrace: duration,
    weights: fc.constantFrom({ cpu: 200 }, { cpu: null, io: 50 }, null),
    placement: fc.constantFrom(
      { selector: { rack: "a" } },
      { antiAffinity: [{ match: { app: "web" } }] },
      {
        nodeAffinity: [
          { matchExpressions: [{ key: "rack", operator: "Exists" }] },
          { match: { rack: "a" }, required: false, weight: 9 },
        ],
        affinity: [{ matchExpressions: [{ key: "app", operator: "NotIn", values: ["db", "web"] }], required: false }],
      },
      null,
    ),
    disks: fc.uniqueArray(fc.record({ name: fc.constantFrom("a", "b", "root"), size }), {
      selector: (disk) => disk.name,
    }),
    nics: fc.uniqueArray(
      fc.record({ name: fc.constantFrom("eth0", "eth1"), network: fc.constantFrom("default", "front") }),
      {
        selector: (nic) => nic.name,
      },
    ),
    cloudInit: fc.record(
      { userData: fc.constantFrom("./u.txt", "#cloud-config\na: 1\n"), sshKeys: fc.constant(["ssh-rsa A a"]) },
      { requiredKeys: [] },
    ),
    ignore: fc.subarray(["/spec/cpus/count", "/metadata/labels", "/spec/disks/a"]),
  },
  { requiredKeys: [] },
);

const document = (kind: string, name: string, spec: Json | undefined, labels?: Json): Json => ({
  apiVersion: "odorobo.dev/v1",
  kind,
  metadata: labels === undefined ? { name } : { name, labels },
  ...(spec === undefined ? {} : { spec }),
});

const vm = fc
  .record({ spec: partialSpec, profile: sometimes(fc.constantFrom("p0", "p1", "p2")), labels: sometimes(label) })
  .map(({ spec, profile, labels }) => (name: string) => {
    const own = { ...spec, boot: { kernel: "builtin:tiny" }, ...(profile === undefined ? {} : { profile }) };
    return document("VirtualMachine", name, own, labels);
  });

export interface AnyFleet {
  readonly texts: readonly ManifestText[];
  readonly vms: number;
}

export const anyFleetTexts: fc.Arbitrary<AnyFleet> = fc
  .record({
    vms: fc.array(vm, { maxLength: 6 }),
    profiles: fc.tuple(partialSpec, partialSpec, partialSpec),
    defaults: sometimes(partialSpec),
    style: fc.record({
      flow: fc.boolean(),
      json: fc.boolean(),
      indentSeq: fc.boolean(),
      indent: fc.constantFrom(2, 4),
    }),
    perFile: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ vms, profiles, defaults, style, perFile }) => {
    const documents = [
      document("Fleet", "any", defaults === undefined ? undefined : { defaults }),
      document("Node", "n1", { address: "http://n1:8890" }, { rack: "a" }),
      document("Group", "g", undefined),
      document("Network", "front", { type: "bridge", bridge: "br0" }),
      ...profiles.map((spec, index) =>
        document("Profile", `p${index}`, index === 0 ? spec : { ...spec, base: `p${index - 1}` }),
      ),
      ...vms.map((make, index) => make(`vm-${index}`)),
    ];
    const texts: ManifestText[] = [{ path: "u.txt", text: "#cloud-config\n", blobId: null }];
    for (let start = 0; start < documents.length; start += perFile) {
      const text = documents
        .slice(start, start + perFile)
        .map((each) => write(each, style))
        .join("---\n");
      texts.push({ path: `f${start}.yaml`, text, blobId: null });
    }
    return { texts, vms: vms.length };
  });

function write(value: Json, style: { flow: boolean; json: boolean; indentSeq: boolean; indent: number }): string {
  if (style.json) return `${JSON.stringify(value, null, style.indent)}\n`;
  return stringify(value, {
    indent: style.indent,
    indentSeq: style.indentSeq,
    collectionStyle: style.flow ? "flow" : "any",
  });
}
