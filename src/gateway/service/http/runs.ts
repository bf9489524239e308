/** /v1/runs: what was and is carried out, what waits for an approval, and what people say to that. */
import { OdoroboError } from "../../../model/errors.ts";
import { json } from "../../../platform/http/answers.ts";
import { parseJson } from "../../../platform/http/parse-json.ts";
import { toRunDocument, toRunList } from "../../../report/run-document.ts";
import type { RunOrder } from "../../../run/decide.ts";
import type { KnownRun } from "../../../run/run-store.ts";
import { commandRun } from "../../../turn/runs/command-run.ts";
import type { Call } from "./call.ts";
import { readText } from "./read-text.ts";
import { sendEvents } from "./stream.ts";

export const getRuns = async ({ parts }: Call): Promise<Response> => json(200, toRunList(await parts.runs.list()));

export async function getRun(call: Call): Promise<Response> {
  const run = await find(call);
  return json(200, toRunDocument(run, await call.parts.runs.plan(run.id)));
}

export async function getRunPlan(call: Call): Promise<Response> {
  const { id } = await find(call);
  return json(200, await call.parts.runs.plan(id));
}

/** The journal so far, then what is added, until nobody executes the run any more. */
export async function followRun(call: Call): Promise<Response> {
  const { id } = await find(call);
  const { parts, signal } = call;
  return sendEvents(
    [],
    (send, end) => {
      const stop = new AbortController();
      const follow = async () => {
        for await (const event of parts.runs.follow(id, AbortSignal.any([signal, stop.signal])))
          send({ event: event.event, data: event });
      };
      void follow()
        .catch((error: unknown) => {
          if (!stop.signal.aborted && !signal.aborted)
            parts.log.warn({ run: id, err: error }, "a run cannot be followed");
        })
        .finally(end);
      return () => stop.abort();
    },
    signal,
  );
}

/** `by`: whoever shows the token. Answers with the run as it stands then. */
export const orderRun =
  (kind: RunOrder["kind"]) =>
  async (call: Call): Promise<Response> => {
    const { parts, caller } = call;
    const { id } = await find(call);
    const reason = await readReason(call.request);
    const order = { kind, by: `${caller.name}, at the gateway`, ...(reason === null ? {} : { reason }) };
    const run = await commandRun(parts.runs, id, order, parts.clock);
    parts.log.info({ run: id, by: caller.name, order: kind }, "somebody says what becomes of a run");
    return json(200, toRunDocument(run, await parts.runs.plan(id)));
  };

export async function resumeRun(call: Call): Promise<Response> {
  const { parts, caller } = call;
  const { id } = await find(call);
  await parts.carryOn(id, `${caller.name}, at the gateway`);
  parts.log.info({ run: id, by: caller.name, order: "resume" }, "somebody says what becomes of a run");
  return json(202, toRunDocument(await parts.runs.find(id), await parts.runs.plan(id)));
}

const find = ({ params, parts }: Call): Promise<KnownRun> => parts.runs.find(params.id ?? "");

const REASON_AT_MOST = 500;

/** Rejects with BAD_REQUEST or PAYLOAD_TOO_LARGE. */
async function readReason(request: Request): Promise<string | null> {
  const text = await readText(request);
  if (text.trim() === "") return null;
  let body: unknown;
  try {
    body = parseJson(text);
  } catch (cause) {
    throw new OdoroboError("BAD_REQUEST", `the body ${cause instanceof Error ? cause.message : "is not JSON"}`, {
      cause,
    });
  }
  const isMap = typeof body === "object" && body !== null && !Array.isArray(body);
  const { reason, ...rest } = (isMap ? body : {}) as Readonly<Record<string, unknown>>;
  const isReason = reason === undefined || (typeof reason === "string" && reason.length <= REASON_AT_MOST);
  if (!isMap || !isReason || Object.keys(rest).length > 0)
    throw new OdoroboError("BAD_REQUEST", `the body may be {"reason": TEXT}, of at most ${REASON_AT_MOST} characters`);
  return reason ?? null;
}
