import { expect, test } from "vitest";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { OdoroboError } from "../../src/model/errors.ts";

const name = "n1";

test("with nothing said, the agent listens on loopback and drives what it can", () => {
  expect(parseAgentConfig({ name })).toEqual({
    nodeName: "n1",
    listen: [{ kind: "tcp", host: "127.0.0.1", port: 8890 }],
    dataFolder: "/var/lib/odorobo",
    runFolder: "/run/odorobo",
    hypervisors: ["cloud-hypervisor", "qemu", "noop"],
    capacity: {},
    tokenFile: null,
    tls: null,
    log: { level: "info", format: "auto" },
    supervisor: "auto",
    bus: "unix:path=/run/dbus/system_bus_socket",
    hooksFolder: "/etc/odorobo/hooks",
    requestsPerSecond: 200,
    startAfterReboot: "auto",
    accessFile: null,
    allowedRoots: [],
    metricsPerVm: false,
    images: { allowPrivate: false, bytesPerSecond: null },
    cloudHypervisor: { executable: "cloud-hypervisor", seccomp: "true", landlock: false },
    qemu: { executable: "qemu-system-x86_64", accelerator: "auto", cacheFile: "/run/odorobo/accelerator.json" },
  });
});

test.each(["0.0.0.0:8890", "[::]:8890", "10.0.0.1:1", "n1.example:8890", "localhost.example:1", "[::ffff:10.0.0.1]:1"])(
  "%s is reached by others and needs a token or client certificates",
  (address) => {
    const listen = ["127.0.0.1:8890", address];
    expect(() => parseAgentConfig({ name, listen })).toThrow(expect.objectContaining({ code: "AGENT_INSECURE" }));
    const pair = { tlsCert: "c", tlsKey: "k" };
    // TLS alone keeps listeners out, not strangers.
    expect(() => parseAgentConfig({ name, listen, ...pair })).toThrow(
      expect.objectContaining({ code: "AGENT_INSECURE" }),
    );
    expect(parseAgentConfig({ name, listen, ...pair, tlsClientCa: "ca" }).listen).toHaveLength(2);
    expect(parseAgentConfig({ name, listen, tokenFile: "t" }).listen).toHaveLength(2);
    expect(parseAgentConfig({ name, listen, accessFile: "a" }).listen).toHaveLength(2);
  },
);

test.each(["127.0.0.1:0", "127.1.2.3:80", "[::1]:8890", "localhost:8890", "unix:///run/odorobo/agent.sock"])(
  "%s needs neither",
  (address) => {
    expect(parseAgentConfig({ name, listen: [address] }).listen).toHaveLength(1);
  },
);

const mistakes: [string, Parameters<typeof parseAgentConfig>[0], RegExp][] = [
  ["a name that is none", { name: "Node_1" }, /"Node_1" is not a node name/],
  ["an address without a port", { name, listen: ["127.0.0.1"] }, /cannot listen on "127.0.0.1"/],
  ["a port that is none", { name, listen: ["127.0.0.1:99999"] }, /cannot listen on/],
  ["a relative socket", { name, listen: ["unix://agent.sock"] }, /is not a Unix socket's address/],
  [
    "a socket path that the kernel cannot take",
    { name, listen: [`unix:///${"a".repeat(120)}`] },
    /longer than 107 bytes/,
  ],
  ["an address twice", { name, listen: ["127.0.0.1:1", "127.0.0.1:1"] }, /given twice/],
  ["a run folder too deep for sockets", { name, run: `/${"a".repeat(80)}` }, /too long a path/],
  ["a certificate without its key", { name, tlsCert: "c" }, /--tls-key is missing/],
  ["a client CA without a certificate", { name, tlsClientCa: "c" }, /--tls-cert is missing/],
  ["a hypervisor that it cannot drive", { name, hypervisor: ["propolis"] }, /--hypervisor cannot be "propolis"/],
  ["a log level that is none", { name, logLevel: "loud" }, /--log-level cannot be "loud"/],
  ["no cpus", { name, cpus: 0 }, /--cpus must be/],
];

test.each(mistakes)("%s is refused with a hint", (_, settings, message) => {
  try {
    parseAgentConfig(settings);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(OdoroboError);
    expect(error).toMatchObject({ code: "AGENT_CONFIG", message: expect.stringMatching(message) });
  }
});
