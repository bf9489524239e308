/** A terminal or a pipe on a guest's serial line. On a terminal every key goes to the guest, Ctrl-C too; only Ctrl-] stays here. */
import type { ConsoleConnection } from "../../wire/open-console.ts";
import { writeBytes } from "./terminal.ts";

/** What telnet and virsh use: a key that no shell or editor in the guest needs. */
const ESCAPE = 0x1d;

/** Resolves with `left` when the person went, else with why the console ended. */
export async function attachConsole(connection: ConsoleConnection, input: NodeJS.ReadStream): Promise<string> {
  const left = Promise.withResolvers<"left">();
  const onInput = (bytes: Buffer) => {
    const keyAt = input.isTTY ? bytes.indexOf(ESCAPE) : -1;
    if (keyAt !== 0) connection.send(keyAt < 0 ? bytes : bytes.subarray(0, keyAt));
    if (keyAt >= 0) left.resolve("left");
  };
  // The end of a pipe only means that nothing more will be typed: the guest's answer is still to come.
  input.on("data", onInput);
  if (input.isTTY) input.setRawMode(true);
  try {
    const told = pump(connection).then(async () => {
      const { because, message } = await connection.ended;
      return because === "closed-by-us" ? "left" : message;
    });
    return await Promise.race([left.promise, told]);
  } finally {
    if (input.isTTY) input.setRawMode(false);
    input.off("data", onInput);
    input.pause();
  }
}

async function pump(connection: ConsoleConnection): Promise<void> {
  for await (const bytes of connection.output) await writeBytes(bytes);
}
