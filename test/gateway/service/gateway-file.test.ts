/** gateway.yaml: what it says, and each mistake in it with its place, all at once. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadGatewayFile } from "../../../src/gateway/service/file/load-gateway-file.ts";
import { readGatewayFile } from "../../../src/manifest/gateway/read-gateway-file.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

async function written(text: string, secrets: Readonly<Record<string, number>> = {}) {
  const folder = await aTempFolder();
  const path = join(folder.path, "gateway.yaml");
  await writeFile(path, text);
  for (const [name, mode] of Object.entries(secrets)) {
    await writeFile(join(folder.path, name), "secret\n");
    await chmod(join(folder.path, name), mode);
  }
  return { ...folder, file: path };
}

const messageOf = async (text: string, secrets: Readonly<Record<string, number>> = {}): Promise<string> => {
  await using folder = await written(text, secrets);
  const error = await loadGatewayFile(folder.file).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: "GATEWAY_FILE_INVALID" });
  return (error as Error).message.replaceAll(folder.path, "DIR");
};

test("all that it may say becomes a configuration", async () => {
  await using folder = await written(
    `kind: Gateway
listen: 0.0.0.0:8900
publicUrl: https://odorobo.example.net/
data: state
tokenFile: people.token
fleets:
  - name: shop
    repository: { url: "ssh://git@forge.example/team/fleet.git", ref: main, path: vms, sshKeyFile: deploy.key, knownHostsFile: known_hosts }
    interval: 30s
    requireSigned: allowed_signers
    ceiling: { auto: reboot, approve: [replace] }
    forge: { kind: forgejo, url: "https://forge.example/", repository: team/fleet, tokenFile: forge.token, hookSecretFile: hook.secret, pullRequests: true }
    notify: [{ kind: slack, urlFile: slack.url, on: [failed, waiting] }]
    agents: { tokenFile: agents.token, timeout: 2s }
  - name: lab
    repository: { url: ./lab.git }
`,
    {
      "people.token": 0o600,
      "deploy.key": 0o600,
      known_hosts: 0o644,
      allowed_signers: 0o644,
      "forge.token": 0o640,
      "hook.secret": 0o600,
      "slack.url": 0o600,
      "agents.token": 0o600,
    },
  );
  const { config, warningsText } = await loadGatewayFile(folder.file);
  expect(warningsText).toBe("");
  const at = (name: string) => join(folder.path, name);
  expect(config).toEqual({
    listen: { kind: "tcp", host: "0.0.0.0", port: 8900 },
    dataFolder: at("state"),
    publicUrl: "https://odorobo.example.net",
    door: { tokenFile: at("people.token"), accessFile: null, tls: null },
    fleets: [
      {
        name: "shop",
        repository: {
          url: "ssh://git@forge.example/team/fleet.git",
          ref: "main",
          path: "vms",
          sshKeyFile: at("deploy.key"),
          knownHostsFile: at("known_hosts"),
        },
        intervalMs: 30_000,
        requireSigned: at("allowed_signers"),
        allowRewind: false,
        ceiling: { auto: "reboot", approve: ["replace"] },
        forge: {
          kind: "forgejo",
          api: { url: "https://forge.example", repository: "team/fleet", tokenFile: at("forge.token") },
          hookSecretFile: at("hook.secret"),
          pullRequests: true,
        },
        notify: [{ kind: "slack", urlFile: at("slack.url"), on: ["failed", "waiting"] }],
        agents: { tokenFile: at("agents.token"), tls: {}, answerMs: 2_000 },
      },
      {
        name: "lab",
        repository: { url: at("lab.git"), ref: null, path: null },
        intervalMs: 60_000,
        requireSigned: null,
        allowRewind: false,
        ceiling: null,
        forge: null,
        notify: [],
        agents: { tls: {} },
      },
    ],
  });
});

const forgeFile = (forge: string) => `kind: Gateway
publicUrl: https://odorobo.example.net
fleets:
  - name: shop
    repository: { url: "https://forge.example/team/fleet.git", ref: main }
    forge: { ${forge} }
`;

test("a forge that signs its own certificate, and pull requests of forks where somebody wants them planned", async () => {
  await using folder = await written(
    forgeFile(
      'kind: gitea, url: "https://forge.example", repository: team/fleet, tokenFile: t, caFile: ca.pem, pullRequests: true, forks: true',
    ),
    { t: 0o600, "ca.pem": 0o644 },
  );
  const { config, warningsText } = await loadGatewayFile(folder.file);
  expect(warningsText).toBe("");
  expect(config.fleets[0]?.forge).toEqual({
    kind: "gitea",
    api: {
      ...{ url: "https://forge.example", repository: "team/fleet" },
      ...{ tokenFile: join(folder.path, "t"), caFile: join(folder.path, "ca.pem") },
    },
    hookSecretFile: null,
    pullRequests: true,
    forks: true,
  });
});

test("a Bitbucket of one's own is told to be heard only, and forks and caFile to have no effect where they have none", async () => {
  const of = (host: string, more = "") =>
    forgeFile(`kind: bitbucket, url: "${host}", repository: team/fleet, tokenFile: t${more}`);
  const message = await messageOf(of("https://bitbucket.corp.example"), { t: 0o600 });
  expect(message).toContain("a Bitbucket of your own (Data Center) has another API, and is told nothing");
  expect(message).toContain("its hooks are heard: leave url, repository, tokenFile and pullRequests out");
  await using folder = await written(of("https://bitbucket.org", ", forks: true"), { t: 0o600 });
  const { warningsText } = await loadGatewayFile(folder.file);
  expect(warningsText).toContain("pull requests are not planned: pullRequests is not said");
});

test("every mistake is told at once, with its place and what to do", async () => {
  const message = await messageOf(
    `kind: Gateway
listen: 10.0.0.1:8900
fleets:
  - name: shop
    repository: { url: "https://forge.example/a.git", tokenFile: git.token }
    intervall: 5s
  - name: Shop
    repository: { url: "https://me:hunter2@forge.example/b.git" }
    ceiling: { auto: rebot }
    interval: 5
`,
    { "git.token": 0o644 },
  );
  expect(message).toMatchInlineSnapshot(`
    "5 mistakes in DIR/gateway.yaml

    DIR/gateway.yaml:5:66  error  everybody on this machine may read DIR/git.token
     5 │     repository: { url: "https://forge.example/a.git", tokenFile: git.token }
       │                                                                  ^^^^^^^^^
       hint: chmod 600 DIR/git.token

    DIR/gateway.yaml:6:5  error  unknown field "intervall"
     6 │     intervall: …
       │     ^^^^^^^^^
       hint: did you mean "interval"?

    DIR/gateway.yaml:7:11  error  fleets[1].name must be a name of lower-case letters, digits and dashes
     7 │   - name: Shop
       │           ^^^^
       hint: without capitals

    DIR/gateway.yaml:9:22  error  fleets[1].ceiling.auto must be one of: none, metadata, live, pause, migrate, reboot, replace, destroy
     9 │     ceiling: { auto: rebot }
       │                      ^^^^^
       hint: did you mean "reboot"?

    DIR/gateway.yaml:10:15  error  fleets[1].interval must be a duration such as 90s or 10m, not a number
     10 │     interval: 5
        │               ^
        hint: write a unit: 5s"
  `);
  expect(message).not.toContain("hunter2");
});

test("what fields say of one another is looked at, and so are the files that they name", async () => {
  const message = await messageOf(
    `kind: Gateway
listen: 10.0.0.1:8900
fleets:
  - name: shop
    repository: { url: "https://forge.example/a.git", tokenFile: git.token }
    interval: 10ms
    forge: { kind: github, url: "https://api.github.com", pullRequests: true }
  - name: shop
    repository: { url: "https://forge.example/a", tokenFile: missing.token }
  - name: lab
    repository: { url: "https://me:hunter2@forge.example/b.git" }
`,
    { "git.token": 0o644 },
  );
  expect(message).toMatchInlineSnapshot(`
    "9 mistakes in DIR/gateway.yaml

    DIR/gateway.yaml:2:9  error  this can be reached from other machines, and anybody would be let in
     2 │ listen: 10.0.0.1:8900
       │         ^^^^^^^^^^^^^
       hint: say tokenFile, accessFile or tls.clientCaFile; or listen on 127.0.0.1 or unix:///path

    DIR/gateway.yaml:5:66  error  everybody on this machine may read DIR/git.token
     5 │     repository: { url: "https://forge.example/a.git", tokenFile: git.token }
       │                                                                  ^^^^^^^^^
       hint: chmod 600 DIR/git.token

    DIR/gateway.yaml:6:15  error  this is shorter than 1000 ms
     6 │     interval: 10ms
       │               ^^^^
       hint: at least 1s

    DIR/gateway.yaml:7:12  error  repository and tokenFile are missing
     7 │     forge: { kind: github, url: "https://api.github.com", pullRequests: true }
       │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       hint: to tell the forge of commits it needs url, repository and tokenFile

    DIR/gateway.yaml:7:73  error  plans of pull requests are told as comments, and the forge cannot be told anything
     7 │     forge: { kind: github, url: "https://api.github.com", pullRequests: true }
       │                                                                         ^^^^
       hint: say url, repository and tokenFile

    DIR/gateway.yaml:8:11  error  another fleet is called shop, too: fleets[0]
     8 │   - name: shop
       │           ^^^^
       hint: names are in addresses and hooks: give each its own

    DIR/gateway.yaml:9:17  error  fleets[0] has the same repository and path
     9 │     repository: { url: "https://forge.example/a", tokenFile: missing.token }
       │                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       hint: two entries that turn one fleet undo what the other does: remove one of them

    DIR/gateway.yaml:9:62  error  there is no file DIR/missing.token
     9 │     repository: { url: "https://forge.example/a", tokenFile: missing.token }
       │                                                              ^^^^^^^^^^^^^
       hint: relative paths are relative to this file

    DIR/gateway.yaml:11:24  error  this address has a password or token in it
     11 │     repository: { url: "https://…@forge.example/b.git" }
        │                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: put it into a file that only the gateway can read, and name that as tokenFile"
  `);
  expect(message).not.toContain("hunter2");
});

test("YAML itself, an empty file and a folder are told of, too", async () => {
  expect(await messageOf("")).toContain("gateway.yaml:1:1  error  this says nothing");
  expect(await messageOf("kind: Gateway\nfleets: [\n")).toContain("gateway.yaml:2");
  expect(await messageOf("kind: Fleet\n")).toContain("kind must be one of: Gateway");
  await using folder = await aTempFolder();
  await mkdir(join(folder.path, "gateway.yaml"));
  await expect(loadGatewayFile(join(folder.path, "gateway.yaml"))).rejects.toMatchObject({
    code: "GATEWAY_FILE_INVALID",
  });
});

test("the example is without mistakes", async () => {
  const path = join(import.meta.dirname, "../../../examples/gateway/gateway.yaml");
  const { file, diagnostics } = readGatewayFile(await readFile(path, "utf8"), path);
  expect(diagnostics).toEqual([]);
  expect(file?.fleets.map(({ name }) => name)).toEqual(["shop", "lab"]);
});

test("what has no effect is a warning", async () => {
  await using folder = await written(
    `kind: Gateway
fleets:
  - name: shop
    repository: { url: "https://forge.example/a.git", sshKeyFile: deploy.key }
    forge: { kind: gitea }
`,
    { "deploy.key": 0o600 },
  );
  const { warningsText } = await loadGatewayFile(folder.file);
  expect(warningsText.replaceAll(folder.path, "DIR")).toMatchInlineSnapshot(`
    "DIR/gateway.yaml:4:67  warning  sshKeyFile is for SSH, and this address is none
     4 │     repository: { url: "https://forge.example/a.git", sshKeyFile: deploy.key }
       │                                                                   ^^^^^^^^^^

    DIR/gateway.yaml:5:12  warning  without hookSecretFile no hook is believed, and without url nothing is told
     5 │     forge: { kind: gitea }
       │            ^^^^^^^^^^^^^^^"
  `);
});
