import { expect, test } from "vitest";

import { aNode, read } from "../support/manifest-texts.ts";

test.each([
  ["10.0.0.1:9000", "write http://10.0.0.1:9000"],
  ["n1.example.net", "write http://n1.example.net:8890"],
  ["https://n1:8890/v1", "write https://n1:8890"],
  ["the big one", null],
])("the address %s of a node is refused with the one that was meant", (address, hint) => {
  const text = aNode("n1").replace(/address: .*/, `address: ${address}`);
  const { diagnostics } = read({ "n.yaml": text });
  expect(diagnostics.find((each) => each.file === "n.yaml")?.hint ?? null).toBe(hint);
});
