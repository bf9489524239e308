import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { confirm } from "../../src/commands/cli/screen/confirm.ts";

const question = { text: 'Apply 2 steps? Only "yes" is accepted:', answer: "yes", what: "apply 2 steps" };
const never = new AbortController().signal;

function aTerminal(isInteractive = true) {
  const terminal = { input: new PassThrough(), output: new PassThrough(), isInteractive };
  return { terminal, shown: () => String(terminal.output.read() ?? "") };
}

test("only the exact answer counts", async () => {
  const { terminal, shown } = aTerminal();
  const asked = confirm(question, { yes: false, signal: never }, terminal);
  terminal.input.write("yes\n");
  await asked;
  expect(shown()).toContain('Only "yes" is accepted: ');
  for (const answer of ["y", "YES", "", "yes please"]) {
    const other = aTerminal();
    const refused = confirm(question, { yes: false, signal: never }, other.terminal);
    other.terminal.input.write(`${answer}\n`);
    await expect(refused).rejects.toMatchObject({
      code: "NOT_CONFIRMED",
      message: expect.stringContaining("Nothing was changed"),
    });
  }
});

test("the end of the input is no answer", async () => {
  const { terminal } = aTerminal();
  const asked = confirm(question, { yes: false, signal: never }, terminal);
  terminal.input.end();
  await expect(asked).rejects.toMatchObject({ code: "NOT_CONFIRMED" });
});

test("Ctrl-C at the question is an interruption, before anything was done", async () => {
  const { terminal } = aTerminal();
  const interrupt = new AbortController();
  const asked = confirm(question, { yes: false, signal: interrupt.signal }, terminal);
  interrupt.abort();
  await expect(asked).rejects.toMatchObject({ code: "INTERRUPTED", exitCode: 130 });
});

test("where nobody is, nobody is asked", async () => {
  const { terminal, shown } = aTerminal(false);
  await expect(confirm(question, { yes: false, signal: never }, terminal)).rejects.toMatchObject({ exitCode: 3 });
  expect(shown()).toBe("");
  await confirm(question, { yes: true, signal: never }, terminal);
});
