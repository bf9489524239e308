/** What `--json` prints is what the schemas say, for every command that prints a document. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { ajv, expectValid, schemas } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

const FOLDER = new URL("../../schemas/", import.meta.url);

const DRAFT = "https://json-schema.org/draft/2020-12/schema";

test("all schemas are of one draft, valid by it, and use none of the words of an older one", () => {
  expect(new Set(schemas.map(({ $schema }) => $schema))).toEqual(new Set([DRAFT]));
  for (const schema of schemas) {
    expect(ajv.validateSchema(schema), `${schema.$id}: ${JSON.stringify(ajv.errors)}`).toBe(true);
    expect(JSON.stringify(schema)).not.toMatch(/"(definitions|dependencies|additionalItems)":|#\/definitions\//);
  }
});

test("each document is valid by its schema, in good times and bad", async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  await fleet.vm("web-2", ["placement: { node: n2 }"]);
  const at = ["--fleet", fleet.folder];
  const look = async (...argv: string[]) => JSON.parse((await odorobo(...argv, "--json")).stdout);

  expectValid(await look("plan", fleet.folder), "plan");
  expectValid(await look("apply", fleet.folder, "--yes"), "apply-report");
  expectValid(await look("vm", "shutdown", "web-1", ...at), "operation-result");
  expectValid(await look("vm", "delete", "web-1", ...at, "--yes"), "operation-result");
  expectValid(await look("vm", "list", ...at), "vm-list");
  expectValid(await look("doctor", "--node", "n1", ...at), "doctor-report");
  for (const silent of [false, true]) {
    if (silent) await fleet.stop("n2");
    expectValid(await look("plan", fleet.folder), "plan");
    expectValid(await look("diff", fleet.folder), "plan");
    expectValid(await look("status", fleet.folder), "status");
    expectValid(await look("validate", fleet.folder), "validation");
    expectValid(await look("vm", "list", ...at), "vm-list");
    expectValid(await look("node", "list", ...at), "node-list");
    expectValid(await look("image", "list", ...at), "image-list");
    expectValid(await look("image", "prune", ...at), "image-prune");
    for (const node of ["n1", "n2"]) expectValid(await look("node", "info", node, ...at), "node-info");
  }
  await fleet.write("broken.yaml", "kind: [");
  expectValid(await look("validate", fleet.folder), "validation");
});

test("every schema of ours has an example, and it is valid", () => {
  for (const schema of [
    "status",
    "vm-list",
    "node-list",
    "node-info",
    "image-list",
    "image-pull",
    "image-prune",
    "doctor-report",
    "validation",
    "agent-access",
    "explanation",
    "survival",
    "simulation",
  ]) {
    const { examples } = JSON.parse(readFileSync(join(FOLDER.pathname, `${schema}.schema.json`), "utf8"));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expectValid(example, schema);
  }
});
