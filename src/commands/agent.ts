import { once } from "node:events";
import { Flags, type Interfaces } from "@oclif/core";
import type { AgentSettings } from "../agent/config.ts";
import { HYPERVISOR_KINDS } from "../model/vm-spec.ts";
import { keepHeapSmall } from "../platform/small-heap.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { parseMiB } from "./cli/parse-quantity.ts";

export default class AgentCommand extends OdoroboCommand {
  static override summary = "run the agent of this server";
  static override description =
    "Keeps this server's VMs and answers those who plan and apply. Guests outlive it: stopped and started again, it finds them. " +
    "What other machines can reach needs --token-file, --access-file or --tls-client-ca.";
  static override enableJsonFlag = false;
  static override flags = {
    name: Flags.string({ summary: "this node's name in the manifests (default: the host's name)", helpValue: "NODE" }),
    listen: Flags.string({
      summary: "where to answer: host:port, [ipv6]:port or unix:///path; may be repeated (default: 127.0.0.1:8890)",
      helpValue: "ADDRESS",
      multiple: true,
      multipleNonGreedy: true,
    }),
    data: Flags.string({ summary: "records, disks and logs (default: /var/lib/odorobo)", helpValue: "FOLDER" }),
    run: Flags.string({ summary: "sockets and pid files (default: /run/odorobo)", helpValue: "FOLDER" }),
    hypervisor: Flags.string({
      summary: "offer only this one; may be repeated (default: all that are here)",
      options: [...HYPERVISOR_KINDS],
      multiple: true,
      multipleNonGreedy: true,
    }),
    cpus: Flags.integer({ summary: "offer so many cpus instead of what the host has", helpValue: "N", min: 1 }),
    memory: Flags.string({ summary: "offer so much memory instead of what the host has", helpValue: "16GiB" }),
    "token-file": Flags.string({ summary: "file with the token that callers must show", helpValue: "FILE" }),
    "tls-cert": Flags.string({ summary: "certificate to serve with", helpValue: "FILE" }),
    "tls-key": Flags.string({ summary: "key of --tls-cert", helpValue: "FILE" }),
    "tls-client-ca": Flags.string({ summary: "callers must show a certificate signed by this", helpValue: "FILE" }),
    "log-level": Flags.string({ summary: "debug, info, warn, error or silent", default: "info" }),
    "log-format": Flags.string({ summary: "text, json or auto", default: "auto" }),
    qemu: Flags.string({ summary: "the QEMU to use (default: qemu-system-x86_64 on the PATH)", helpValue: "FILE" }),
    accelerator: Flags.string({ summary: "kvm, tcg or auto", default: "auto" }),
    "cloud-hypervisor": Flags.string({
      summary: "the Cloud Hypervisor to use (default: cloud-hypervisor on the PATH)",
      helpValue: "FILE",
    }),
    seccomp: Flags.string({
      summary:
        "what happens at a system call that Cloud Hypervisor does not expect: true (it ends), log, errno or false",
    }),
    landlock: Flags.boolean({ summary: "let Cloud Hypervisor confine itself to its guest's files" }),
    supervisor: Flags.string({ summary: "who keeps the guests' processes: systemd, spawn or auto", default: "auto" }),
    bus: Flags.string({
      summary: "where systemd answers over D-Bus (default: the system bus)",
      helpValue: "ADDRESS",
      env: "DBUS_SYSTEM_BUS_ADDRESS",
    }),
    hooks: Flags.string({
      summary: "executables to run around what is done (default: /etc/odorobo/hooks)",
      helpValue: "FOLDER",
    }),
    "start-after-reboot": Flags.string({
      summary:
        "whether guests that ran when this host went down are started when it is back: always, never, or auto (where no other node can have started them)",
      default: "auto",
    }),
    "access-file": Flags.string({
      summary: "file of callers, with their roles and the hashes of their tokens",
      helpValue: "FILE",
    }),
    "rate-limit": Flags.integer({
      summary: "requests a second that one caller may go on sending, 0 for any number (default: 200)",
      helpValue: "N",
      min: 0,
    }),
    "image-bandwidth": Flags.integer({
      summary: "how many MiB a second fetching images may take in all (default: as many as there are)",
      helpValue: "MIB",
      min: 1,
    }),
    "image-private-redirects": Flags.boolean({
      summary: "images from public sources may be redirected into private networks",
    }),
    "metrics-per-vm": Flags.boolean({
      summary: "let GET /metrics name each VM (the first 1,000), not only count them",
    }),
    "allow-path": Flags.string({
      summary:
        "folder that disks may be attached from by hand, and snapshots and memory dumps written to; may be repeated",
      helpValue: "FOLDER",
      multiple: true,
      multipleNonGreedy: true,
    }),
  };
  static override examples = [
    "<%= config.bin %> agent",
    "<%= config.bin %> agent --name n1 --listen 10.0.0.1:8890 --token-file /etc/odorobo/token",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(AgentCommand);
    keepHeapSmall();
    const { parseAgentConfig } = await import("../agent/config.ts");
    const { readyLine, startAgent } = await import("../agent/main.ts");
    const config = parseAgentConfig(toAgentSettings(flags));
    using interrupts = listenForInterrupts();
    // Stopping waits for what is being done. Who asks twice does not want to wait; the journal knows what was begun.
    interrupts.second.addEventListener("abort", () => process.exit(130));
    await using agent = await startAgent(config, { ownsProcess: true });
    this.screen.print(readyLine(agent));
    if (!interrupts.first.aborted) await once(interrupts.first, "abort");
  }
}

/** Names with dashes are those of flags; the agent's are JavaScript's. */
export function toAgentSettings(flags: AgentFlags): AgentSettings {
  return {
    ...flags,
    memoryMiB: flags.memory === undefined ? undefined : parseMiB(flags.memory, "--memory"),
    tokenFile: flags["token-file"],
    tlsCert: flags["tls-cert"],
    tlsKey: flags["tls-key"],
    tlsClientCa: flags["tls-client-ca"],
    logLevel: flags["log-level"],
    logFormat: flags["log-format"],
    cloudHypervisor: flags["cloud-hypervisor"],
    accessFile: flags["access-file"],
    rateLimit: flags["rate-limit"],
    allowPath: flags["allow-path"],
    metricsPerVm: flags["metrics-per-vm"],
    imageBandwidth: flags["image-bandwidth"],
    imagePrivateRedirects: flags["image-private-redirects"],
    startAfterReboot: flags["start-after-reboot"],
  };
}

type AgentFlags = Omit<Interfaces.InferredFlags<typeof AgentCommand.flags>, "json">;
