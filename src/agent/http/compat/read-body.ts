/** Bodies and queries as the Rust agent's framework read them: what it could not read it answered in plain text. */
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { parseJson } from "../../../platform/http/parse-json.ts";
import { type Call, readBytes } from "../calls/call.ts";
import { text } from "./answers.ts";

export type Read<Value> = { readonly value: Value } | { readonly rejection: Response };

/** `true` and `false`; left out it is false. */
export function readBoot({ query }: Call): Read<boolean> {
  const given = query.get("boot");
  if (given === null || given === "false") return { value: false };
  if (given === "true") return { value: true };
  return { rejection: text(400, `The query cannot be read: boot is true or false, not ${given.slice(0, 80)}`) };
}

/** A JSON object, which may be anything yet. */
export async function readObject(call: Call): Promise<Read<Readonly<Record<string, unknown>>>> {
  const contentType = call.request.headers.get("content-type") ?? "";
  if (!isJson(contentType)) return { rejection: text(415, "The body must have the Content-Type application/json") };
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(await readBytes(call.request)));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    return {
      rejection: text(400, error instanceof SyntaxError ? `The body ${error.message}` : "The body is not UTF-8"),
    };
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return { value: value as Readonly<Record<string, unknown>> };
  return { rejection: text(422, "The body is JSON, but not an object") };
}

export const readConfig = (call: Call): Promise<Read<VmConfig>> => readObject(call) as Promise<Read<VmConfig>>;

/** Without a Content-Type there is none, whatever the body is. */
export async function readOptionalConfig(call: Call): Promise<Read<VmConfig | null>> {
  return call.request.headers.has("content-type") ? readConfig(call) : { value: null };
}

const isJson = (contentType: string): boolean => /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType);
