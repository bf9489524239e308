#!/usr/bin/env -S node --max-semi-space-size=8
// The command from a checkout: runs src/*.ts as they are, with the Node in node_modules when this one cannot.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ROOT, start } from "./start.js";

const argv = process.argv.slice(2);
if (!process.features.typescript) {
  const node = fileURLToPath(new URL("node_modules/.bin/node", ROOT));
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...argv], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both; sent to this process alone it must be passed on.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
} else if (start(argv)) {
  const { main } = await import("../src/commands/main.ts");
  await main(argv, { root: ROOT, table: "src/commands/table.ts" });
}
