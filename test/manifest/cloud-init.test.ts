/** cloudInit in words becomes what cloud-init reads, beside what is written in its own words. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { composeUserData } from "../../src/manifest/vm/cloud-init/compose.ts";
import { aDocument, aVm, memoryCache, mistakesIn, read, readWell, vmOf } from "../support/manifest-texts.ts";

const KEY = "ssh-ed25519 AAAA me";
const vm = (cloudInit: string) =>
  aVm("web", `boot: { kernel: 'builtin:tiny' }\ncloudInit:\n  ${cloudInit.replaceAll("\n", "\n  ")}`);

const userDataOf = (cloudInit: string, files: Readonly<Record<string, string>> = {}) => {
  const desired = readWell({ "v.yaml": vm(cloudInit), ...files });
  const { spec } = vmOf(desired, "web");
  const digest = spec.cloudInit?.userData;
  return { cloudInit: spec.cloudInit, text: digest == null ? null : (desired.files.get(digest) ?? "missing") };
};

test("what people want, in the words of cloud-init", () => {
  const { cloudInit, text } = userDataOf(
    `user: ada
sshKeys: [${KEY}]
password: { hash: $6$salt$hash }
hostname: web.example.org
timezone: Europe/Berlin
packages: [nginx, htop]
files:
  - { path: /etc/motd, content: hello }
  - { path: /srv/app.conf, content: ./app.conf, mode: "600", owner: ada }
runcmd: [systemctl enable nginx, [touch, /ready]]
growRoot: false`,
    { "app.conf": "a: 1\n" },
  );
  expect(cloudInit).toMatchObject({ user: "ada", sshKeys: [KEY] });
  expect(text?.startsWith("#cloud-config\n")).toBe(true);
  expect(parse(text ?? "")).toEqual({
    user: { name: "ada", lock_passwd: false, passwd: "$6$salt$hash" },
    hostname: "web",
    fqdn: "web.example.org",
    timezone: "Europe/Berlin",
    package_update: true,
    packages: ["nginx", "htop"],
    write_files: [
      { path: "/etc/motd", content: "hello", permissions: "0644" },
      { path: "/srv/app.conf", content: "a: 1\n", permissions: "0600", owner: "ada", defer: true },
    ],
    runcmd: ["systemctl enable nginx", ["touch", "/ready"]],
    growpart: { mode: "off" },
    resize_rootfs: false,
  });
});

test("keys alone are as they have ever been, and words of a profile are joined with the VM's own", () => {
  expect(userDataOf(`sshKeys: [${KEY}]`).cloudInit).toEqual({ userData: null, networkConfig: null, sshKeys: [KEY] });
  const desired = readWell({
    "p.yaml": aDocument("Profile", "base", "cloudInit: { user: ada, packages: [htop], timezone: UTC }"),
    "v.yaml": aVm(
      "web",
      "profile: base\nboot: { kernel: 'builtin:tiny' }\ncloudInit: { packages: [nginx], timezone: null }",
    ),
  });
  const digest = vmOf(desired, "web").spec.cloudInit?.userData;
  expect(parse(digest == null ? "" : (desired.files.get(digest) ?? ""))).toEqual({
    user: { name: "ada" },
    package_update: true,
    packages: ["nginx"],
  });
});

test("words and cloud-init's own text are two parts, of which the text counts for more", () => {
  const { text } = userDataOf("packages: [nginx]\nuserData: |\n  #cloud-config\n  packages: [vim]");
  expect(text).toMatch(/^Content-Type: multipart\/mixed; boundary="odorobo-[0-9a-f]{24}"\n/);
  const [, boundary = ""] = /boundary="(.+)"/.exec(text ?? "") ?? [];
  const parts = (text ?? "").split(`--${boundary}`).slice(1, -1);
  expect(parts.map((part) => /Content-Type: ([^;]+)/.exec(part)?.[1])).toEqual([
    "text/cloud-config",
    "text/cloud-config",
  ]);
  expect(parts[0]).toContain("packages: [vim]");
  expect(parts[1]).toContain("Merge-Type: list(append)+dict(no_replace,recurse_list)+str()");
  expect(userDataOf("packages: [nginx]\nuserData: |\n  #!/bin/sh\n  echo hi").text).toContain(
    "Content-Type: text/x-shellscript",
  );
});

test("parts with letters outside ASCII are packed, as a parser of mail would change them", () => {
  const raw = `#!/bin/sh\necho "Grüße — 日本 😀" > /etc/motd\n`;
  const { text } = userDataOf(`files: [{ path: /etc/issue, content: "Grüße — 😀" }]\nuserData: ${JSON.stringify(raw)}`);
  expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  const unpacked = [...(text ?? "").matchAll(/Transfer-Encoding: base64\n\n([A-Za-z0-9+/=\n]+)\n--/g)].map(
    ([, packed = ""]) => Buffer.from(packed, "base64").toString("utf8"),
  );
  expect(unpacked[0]).toBe(raw);
  expect(parse(unpacked[1] ?? "")).toMatchObject({ write_files: [{ content: "Grüße — 😀" }] });
});

test("what YAML of cloud-init's kind cannot have in a text is written by its number", () => {
  const { text } = userDataOf('files: [{ path: /a, content: "a\\x7f\\x9b\\e[0m" }]');
  expect(text).toContain('"a\\u007f\\u009b\\u001b[0m"');
});

test("metadata and vendor data go to the agent as texts", () => {
  const desired = readWell({
    "v.yaml": vm("metaData: { role: web }\nvendorData: |\n  #cloud-config\n  locale: C\nsshKeys: []"),
  });
  const { vendorData, metaData } = vmOf(desired, "web").spec.cloudInit ?? {};
  expect(desired.files.get(metaData as never)).toBe('{"role":"web"}\n');
  expect(desired.files.get(vendorData as never)).toBe("#cloud-config\nlocale: C\n");
});

test("a fleet that was read before has its texts all the same", () => {
  const files = { "v.yaml": vm("user: ada\npackages: [nginx]") };
  const cache = memoryCache();
  for (let time = 0; time < 2; time++) {
    const { desired } = read(files, cache);
    const digest = desired?.vms[0]?.spec.cloudInit?.userData;
    expect(digest == null ? null : desired?.files.get(digest)).toContain("nginx");
  }
});

test("mistakes are told where they stand, and nothing secret is told", () => {
  const said = (cloudInit: string) => mistakesIn({ "v.yaml": vm(cloudInit) }).map((each) => each.replace(/:\d+ /, " "));
  expect(said("password: { hash: $6$salt$hash }")).toEqual([
    "v.yaml:8 missing-field: this password is nobody's (say whose it is: cloudInit.user)",
  ]);
  expect(said("user: ada\npassword: { hash: opensesame }").join()).not.toContain("opensesame");
  expect(said("user: ada\npassword: { hash: opensesame }")).toHaveLength(1);
  expect(said("userData: |\n  #cloud-config\n  password: s3cret\n   users: [")).toEqual([
    expect.stringMatching(/^v\.yaml:\d+ bad-value: this is no YAML: line \d of it cannot be read \([a-z ]+\)/),
  ]);
  expect(said("userData: |\n  #cloud-config\n  - s3cret")).toEqual([
    "v.yaml:8 bad-value: this is no map of cloud-init's keys (such as packages: [nginx])",
  ]);
  expect(said("userData: |\n  #cloud-config\n  pakages: [s3cret]")).toEqual([
    "v.yaml:8 no-effect: cloud-init knows no key such as one that is here, nearly packages (did you mean packages?)",
  ]);
  expect(said("userData: |\n  packages: [s3cret]\n  a: b")).toEqual([
    expect.stringContaining("no-effect: cloud-init does not know what this is, and does nothing with it"),
  ]);
  expect(said("packages: [nginx]\nuserData: |\n  MIME-Version: 1.0\n  x")).toEqual([
    expect.stringContaining("conflicting-fields: user data in parts cannot be joined"),
  ]);
  expect(said("userData: |\n  ## template: jinja\n  #cloud-config\n  {% if x %}")).toEqual([]);
  expect(said("hostname: -x")).toHaveLength(1);
  expect(said("files: [{ path: relative, content: x }]")).toHaveLength(1);
});

test("any words are YAML that says the same, byte for byte the same each time", () => {
  const words = fc.record(
    {
      hostname: fc.constantFrom("a", "a.b"),
      packages: fc.array(fc.string()),
      runcmd: fc.array(fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1 })), { minLength: 1 }),
      files: fc.array(fc.record({ path: fc.string(), content: fc.string({ unit: "binary" }) }), { minLength: 1 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(words, (said) => {
      const text = composeUserData(said, null);
      const read = parse(text, { version: "1.1" }) as Record<string, unknown>;
      if (said.runcmd) expect(read.runcmd).toEqual(said.runcmd);
      if (said.files)
        expect((read.write_files as { content: string }[]).map(({ content }) => content)).toEqual(
          said.files.map(({ content }) => content),
        );
      expect(composeUserData(structuredClone(said), null)).toBe(text);
    }),
  );
});
