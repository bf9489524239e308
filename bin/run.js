#!/usr/bin/env -S node --max-semi-space-size=8
// The installed command: compiled sources from dist/.
import { ROOT, start } from "./start.js";

const argv = process.argv.slice(2);
if (start(argv)) {
  const { main } = await import("../dist/main.js");
  await main(argv, { root: ROOT, table: "dist/table.js" });
}
