/** Parses what it is sent, until it is ended: texts in, what they say out, as JSON, which is faster to hand over than objects. */
import { parentPort } from "node:worker_threads";
import { parseFile } from "../manifest/text/parse-file.ts";

parentPort?.on("message", (texts: readonly string[]) => {
  parentPort?.postMessage(JSON.stringify(texts.map(parseFile)));
});
