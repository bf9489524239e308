import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { abortable } from "../../../src/agent/hypervisor/cloud-hypervisor/wait.ts";

test("what nobody waits for any more may fail without ending the agent", async () => {
  const late: unknown[] = [];
  const note = (error: unknown) => void late.push(error);
  process.on("unhandledRejection", note);
  try {
    const { promise, reject } = Promise.withResolvers<never>();
    await expect(abortable(promise, AbortSignal.abort(new Error("called off")))).rejects.toThrow("called off");
    reject(new Error("its process ended"));
    await turn();
    await turn();
    expect(late).toEqual([]);
  } finally {
    process.off("unhandledRejection", note);
  }
});
