import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const START = new URL("../../bin/start.js", import.meta.url).href;

test("a Node that is too old is told which one is needed, and the way on", async () => {
  const script = `Object.defineProperty(process, "versions", { value: { node: "20.20.2" } });
    const { start } = await import(${JSON.stringify(START)}); start(["plan"]);`;
  const args = ["--input-type=module", "-e", script];
  await expect(promisify(execFile)(process.execPath, args)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/needs Node 22\.22 or later.*\nhint: .*npm ci/),
  });
});
