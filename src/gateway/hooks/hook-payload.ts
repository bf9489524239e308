/** The JSON of a webhook: the body itself, or, as some forges can be told, the field `payload` of a form. */
import { parseJson } from "../../platform/http/parse-json.ts";
import type { HookRequest } from "./hook-event.ts";

/** The bytes of the JSON; the body's own where it is no form. Null: a form without it, or one that is no UTF-8. */
export function payloadOf({ headers, body }: HookRequest): Buffer | null {
  const type = headers["content-type"];
  if (typeof type !== "string" || !/^application\/x-www-form-urlencoded\b/i.test(type)) return body;
  const payloads = new URLSearchParams(body.toString("latin1")).getAll("payload");
  const [payload] = payloads;
  return payloads.length === 1 && payload !== undefined ? Buffer.from(payload) : null;
}

/** Throws SyntaxError, with a phrase: what came is no object of JSON, too deep, or names what must not be copied. */
export function readPayload(request: HookRequest): Json {
  const bytes = payloadOf(request);
  if (bytes === null) throw new SyntaxError("is a form without a field payload");
  const value = parseJson(bytes.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SyntaxError("is not a JSON object");
  return new Json(value);
}

/** Foreign JSON, looked into by name: what is missing or of another kind is undefined and never throws. */
export class Json {
  readonly #value: unknown;
  constructor(value: unknown) {
    this.#value = value;
  }
  get(...path: readonly string[]): Json {
    let value = this.#value;
    for (const key of path) {
      const isObject = typeof value === "object" && value !== null && Object.hasOwn(value, key);
      value = isObject ? (value as Record<string, unknown>)[key] : undefined;
    }
    return new Json(value);
  }
  get text(): string | undefined {
    return typeof this.#value === "string" ? this.#value : undefined;
  }
  /** Of what counts: above 0. */
  get number(): number | undefined {
    const value = this.#value;
    return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
  }
  get isTrue(): boolean {
    return this.#value === true;
  }
  get isNull(): boolean {
    return this.#value === null;
  }
  get list(): readonly Json[] {
    return Array.isArray(this.#value) ? this.#value.map((each) => new Json(each)) : [];
  }
}
