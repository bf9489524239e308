/** The door for guests of other agents: over each kind of socket, by the ticket and nothing else. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAgentConfig } from "../../../src/agent/config.ts";
import { startAgent } from "../../../src/agent/main.ts";
import { nodeName, vmName } from "../../../src/model/names.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { openMoveChannel } from "../../../src/wire/move-channel.ts";
import { makeTicket, moveGuest } from "../../../src/wire/move-guest.ts";
import { aSpec, NEVER } from "../../support/an-agent.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { aPut } from "../../support/wire-builders.ts";

const WEB = vmName("web-1");
type Door = "http" | "unix" | "https with client certificates and tokens";

async function twoDoors(kind: Door) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await aTempFolder());
  const certificates = kind.startsWith("https") ? await makeCertificates(folder.path) : null;
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "t0psecret-t0psecret-t0psecret-t0psecret", { mode: 0o600 });
  const start = async (name: string) => {
    const listen = kind === "unix" ? `unix://${join(folder.path, `${name}.sock`)}` : "127.0.0.1:0";
    const agent = opened.use(
      await startAgent(
        parseAgentConfig({
          name,
          listen: [listen],
          data: join(folder.path, name, "d"),
          run: join(folder.path, name, "r"),
          hypervisor: ["noop"],
          logLevel: "silent",
          ...(certificates === null
            ? {}
            : {
                tokenFile,
                tlsCert: certificates.server.certFile,
                tlsKey: certificates.server.keyFile,
                tlsClientCa: certificates.caFile,
              }),
        } as never),
      ),
    );
    const address = agent.urls[0] as string;
    const client = connectAgent({
      address,
      ...(certificates === null
        ? {}
        : {
            tokenFile,
            tls: {
              caFile: certificates.caFile,
              certFile: certificates.client.certFile,
              keyFile: certificates.client.keyFile,
            },
          }),
    });
    opened.defer(() => client.close());
    return { name: nodeName(name), address, client };
  };
  const [n1, n2] = [await start("n1"), await start("n2")];
  await n1.client.putVm(WEB, aPut({ id: "put", spec: aSpec(), generation: 1 }), NEVER);
  await n1.client.operate(WEB, { id: "boot", expect: null, kind: "boot" }, NEVER);
  const whole = opened.move();
  return { n1, n2, [Symbol.asyncDispose]: () => whole.disposeAsync() };
}

test.each<Door>(["http", "unix", "https with client certificates and tokens"])(
  "a guest comes in over %s",
  async (kind) => {
    await using world = await twoDoors(kind);
    const { n1, n2 } = world;
    const ticket = makeTicket();
    const move = {
      vm: WEB,
      report: await n1.client.vm(WEB, NEVER),
      fleet: null,
      from: { node: n1.name, agent: n1.client },
      to: { node: n2.name, agent: n2.client, address: n2.address },
      ids: { expect: "expect", migrate: "migrate" },
      ticket,
    };
    const result = await moveGuest(move, NEVER);
    expect(result).toMatchObject({ kind: "migrate", outcome: "done", error: null });
    expect((await n2.client.vm(WEB, NEVER)).phase).toBe("running");
    // Nobody is told the ticket: not by a result, a report or an event.
    const told = JSON.stringify([result, await n1.client.report(NEVER), await n2.client.report(NEVER)]);
    expect(told).not.toContain(ticket);
    expect(JSON.stringify(await n2.client.operation("expect", NEVER))).not.toContain(ticket);
  },
);

test("another certificate than the one that was told is not talked to", async () => {
  await using world = await twoDoors("https with client certificates and tokens");
  const opening = openMoveChannel(
    { address: world.n2.address, ticket: makeTicket(), fingerprint: "0".repeat(64) },
    WEB,
    "control",
    NEVER,
  );
  await expect(opening).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
});

test.each(["control", "memory", "disk.root"])(
  "without a ticket that is expected nobody comes in by %s",
  async (channel) => {
    await using world = await twoDoors("http");
    const knock = (ticket: string, name = WEB) =>
      openMoveChannel({ address: world.n1.address, ticket, fingerprint: null }, name, channel, NEVER);
    await expect(knock(makeTicket())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(knock(makeTicket(), vmName("nobody"))).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(knock("short")).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  },
);
