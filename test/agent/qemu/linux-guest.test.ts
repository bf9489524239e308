/** What only a real operating system can show: that what we change from outside is seen, and given back, inside. */
import { createConnection } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toLiveConfig } from "../../../src/model/fields.ts";
import { digest } from "../../../src/model/names.ts";
import type { Disk, Nic } from "../../../src/model/vm-spec.ts";
import { freePort } from "../../support/free-port.ts";
import { linuxBoot } from "../../support/linux-guest.ts";
import { aQemuWorld } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

/** Linux boots in 2 to 3 s under TCG on an idle machine, and everything in it takes its time on a busy one. */
const LINUX_MS = 60_000;
const linuxPatience = () => AbortSignal.timeout(LINUX_MS);

/** What is said first at this port of the node; nothing where nobody answers. */
const firstWords = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const end = (words: string) => {
      socket.destroy();
      resolve(words);
    };
    socket.setTimeout(LINUX_MS, () => end(""));
    socket.once("data", (bytes) => end(bytes.toString("latin1")));
    socket.once("error", () => end(""));
    socket.once("close", () => end(""));
  });

const blank = (name: string, sizeMiB: number): Disk => ({ name, origin: { kind: "blank", sizeMiB }, readonly: false });
const nic = (name: string): Nic => ({
  name,
  network: "front",
  attachment: { kind: "user" },
  mac: "52:54:00:00:00:01",
  address: "10.0.2.77/24",
});

describe.runIf(requires("a Linux guest that sees live changes", "qemu-system-x86_64", "linux-kernel", "busybox"))(
  "a Linux guest",
  () => {
    test(
      "sees CPUs, disks and NICs come, grow and go while it runs, reads its seed, and powers off when asked",
      async () => {
        await using world = await aQemuWorld(LINUX_MS);
        const port = await freePort();
        const eth0: Nic = {
          ...nic("eth0"),
          forwards: [{ guestPort: 22, protocol: "tcp", host: "127.0.0.1", hostPort: port }],
        };
        const userData = digest("cd".repeat(32));
        const guest = await world.boot(
          "linux-1",
          {
            boot: await linuxBoot(join(world.folder, "linux")),
            cpus: { count: 1, max: 2 },
            memory: { sizeMiB: 256, maxMiB: 256 },
            disks: [blank("root", 2)],
            nics: [eth0],
            cloudInit: { userData, networkConfig: null, sshKeys: ["ssh-ed25519 AAAA me"] },
          },
          { [userData]: "#cloud-config\nhostname: linux-1\n" },
        );
        const sees = (what: RegExp) =>
          until(
            `it sees ${what}`,
            async () => what.test((await guest.log()).match(/SEES .*/g)?.at(-1) ?? ""),
            LINUX_MS,
          );
        await until("it is up", async () => (await guest.log()).includes("LINUX-UP"), LINUX_MS);
        expect(await guest.log()).toMatch(/SEED user-data: #cloud-config\s+hostname: linux-1/);
        expect(await guest.log()).toMatch(/SEED network-config: .*10\.0\.2\.77/);
        await sees(/cpus=1 vda=4096 /);
        await sees(/eth0/);
        // Through the node's port to the guest's, and back.
        await until(
          "it answers at its forward",
          async () => (await firstWords(port)).startsWith("SSH-2.0-busybox"),
          LINUX_MS,
        );

        const { spec } = guest.input;
        const grown = {
          ...spec,
          cpus: { count: 2, max: 2 },
          disks: [blank("root", 4)],
          nics: [...spec.nics, { ...nic("eth1"), mac: "52:54:00:00:00:02" }],
        };
        await guest.running.update(grown, linuxPatience());
        await sees(/cpus=2 vda=8192 .*eth0 eth1/);
        expect(await guest.running.liveConfig(linuxPatience())).toEqual(toLiveConfig(grown));

        const shrunk = { ...grown, nics: [nic("eth0")], disks: [blank("root", 4)] };
        await guest.running.update(shrunk, linuxPatience());
        await sees(/cpus=2 vda=8192 .*eth0$/);
        expect(await guest.running.liveConfig(linuxPatience())).toEqual(toLiveConfig(shrunk));

        // The file of the disk that goes is free for another guest at once.
        await guest.running.update({ ...shrunk, disks: [] }, linuxPatience());
        const thief: Disk = {
          name: "taken",
          origin: { kind: "external", url: `file://${join(guest.input.paths.diskFolder, "root.raw")}` },
          readonly: false,
        };
        const other = await world.boot("tiny-1", { disks: [thief] });
        await other.says(/TINY-START/);
        // And may come back under its old name.
        await other.running.quit(linuxPatience());
        await world.supervisor.waitForExit(other.process, linuxPatience());
        await guest.running.update(shrunk, linuxPatience());
        await sees(/vd.=8192/);

        await guest.running.powerButton(linuxPatience());
        await until("it is off", async () => (await guest.running.status(linuxPatience())).phase === "off", LINUX_MS);
        expect(await guest.log()).toContain("LINUX-POWERS-OFF");
      },
      4 * LINUX_MS,
    );
  },
);
