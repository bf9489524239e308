/** A console typed into: a real guest on a real QEMU, through gateway and agent, by somebody who may, and looked at by somebody who may not. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aSystemAgent } from "../../support/system-agent.ts";
import { until } from "../../support/until.ts";
import type { PageWorld } from "../a-page-world.ts";
import { expectNoFaults, goes, PATIENCE_MS, sees } from "./see-again.ts";

/** The tiny guest says again what is typed; a `q` would power it off. */
const TYPED = "hello<i>guest</i>";

export function consoles(world: () => PageWorld): void {
  test("what is typed comes to a real guest and back; who may only look sees it and types nothing", async () => {
    const { fleet, push, signedIn } = world();
    const folder = join(fleet.scratch, "real");
    await mkdir(folder);
    await chmod(folder, 0o755);
    const agent = await aSystemAgent({ name: "real", folder, flags: FLAGS, env: process.env });
    await using _stopped = {
      async [Symbol.asyncDispose]() {
        await agent.stop();
      },
    };
    await writeFile(join(fleet.folder, "nodes/real.yaml"), nodeText(agent.url));
    await fleet.vm("guest-1", ["hypervisor: qemu", "placement: { node: real }"]);
    await push("a real guest");
    await until(
      "the guest speaks",
      async () => /COUNTER/.test(await agent.serial("guest-1").catch(() => "")),
      PATIENCE_MS,
    );
    await using omar = await signedIn("omar", { at: "#/fleets/shop/vms/guest-1/console" });
    await using olga = await signedIn("olga", { at: "#/fleets/shop/vms/guest-1/console" });
    const textOf = async ({ page }: typeof omar): Promise<string> =>
      (await page.locator(".xterm-rows").textContent()) ?? "";
    // It counts while somebody types.
    const echoIn = async (who: typeof omar) => (await textOf(who)).replace(/COUNTER \d+/g, "").replace(/\s/g, "");
    for (const each of [omar, olga])
      await until("the console is live", async () => /COUNTER \d/.test(await textOf(each)), PATIENCE_MS);
    await olga.page.getByText("you may look, not type").waitFor();
    await omar.page.getByText("you may type").waitFor();
    await omar.page.locator(".xterm-helper-textarea").focus();
    await omar.page.keyboard.type(TYPED);
    await omar.page.keyboard.press("Enter");
    for (const each of [omar, olga])
      await until("what was typed is seen", async () => (await echoIn(each)).includes(TYPED), PATIENCE_MS);
    await olga.page.locator(".xterm-helper-textarea").focus();
    await olga.page.keyboard.type("nobody-types-this");
    const before = await textOf(olga);
    await until("it goes on counting", async () => (await textOf(olga)) !== before, PATIENCE_MS);
    expect(await agent.serial("guest-1")).not.toContain("nobody-types-this");
    await omar.page.keyboard.press("Control+Shift+Escape");
    expect(await omar.page.evaluate("document.activeElement.textContent"), "there is a way out").toBe("Console");
    await olga.page.keyboard.press("Control+Shift+Escape");
    await goes(olga.page, "#/fleets/shop/vms/guest-1/log");
    await sees(olga.page, /COUNTER \d/);
    expect(await olga.page.locator(".log i").count(), "what a guest writes is text").toBe(0);
    expectNoFaults(omar);
    expectNoFaults(olga);
    await fleet.remove("vms/guest-1.yaml");
    await fleet.remove("nodes/real.yaml");
  });
}

const FLAGS = ["--hypervisor=qemu", "--accelerator=tcg", "--cpus=8", "--memory=8GiB", "--log-level=error"];

const nodeText = (url: string): string => `apiVersion: odorobo.dev/v1
kind: Node
metadata: { name: real }
spec: { address: "${url}" }
`;
