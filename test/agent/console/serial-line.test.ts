import { expect, test } from "vitest";
import { SerialLine } from "../../../src/agent/console/serial-line.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { aSerialGuest } from "../../support/a-serial-guest.ts";
import { until } from "../../support/until.ts";

test("a line that is cut while its guest talks is closed, not reset: a hypervisor may take a reset for its own end", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  let heard = "";
  const line = new SerialLine(socketPort(guest.socket), {
    connected: () => {},
    received: (bytes) => {
      heard += bytes;
    },
    writable: () => {},
    lost: () => {},
  });
  line.open();
  await until("it is connected", () => guest.client !== null && line.isConnected);
  const { client } = guest;
  const ends: string[] = [];
  client?.on("error", (error: NodeJS.ErrnoException) => ends.push(error.code ?? "?"));
  client?.on("end", () => ends.push("end"));
  line.hold();
  await guest.sayAll(Buffer.from("unread when it is cut"));
  await line.cut();
  await until("the guest's end knows", () => guest.client === null);
  expect({ ends, heard, isConnected: line.isConnected }).toEqual({
    ends: ["end"],
    heard: "unread when it is cut",
    isConnected: false,
  });
});
