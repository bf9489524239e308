/**
 * Reads a guest's serial line as an agent does, and logs it where nobody else does: to be stopped and killed by a test.
 * `console-reader-script.ts PORT LOG`: PORT is a SerialEnd or a LoggedPort as JSON. Says `reading` once it does.
 */
import { Console } from "../../src/agent/console/console.ts";
import type { SerialEnd, SerialPort } from "../../src/agent/serial-port.ts";
import { silentLogger } from "../../src/platform/logger.ts";

const [given = "", log = ""] = process.argv.slice(2);
const place = JSON.parse(given) as SerialEnd | Extract<SerialPort, { kind: "logged" }>;
const port: SerialPort = place.kind === "logged" ? place : { kind: "stream", find: async () => place };
const console = new Console({ logger: silentLogger });
console.begin({ port, log, loggedBy: place.kind === "logged" ? "hypervisor" : "agent" });
// Looks, and takes nothing: as slow as a viewer can be.
await console.add({ send: () => {}, backlog: () => 0, drop: () => {}, tell: () => {} }, () => true);
await console.isConnectedWithin(30_000);
process.stdout.write("reading\n");
setInterval(() => {}, 60_000);
