/**
 * A client of Cloud Hypervisor's API over its Unix socket.
 *
 * Invariants:
 * - One request at a time, in the order of asking: the server has one thread, and what waits there cannot be taken back.
 * - Every call ends: with its answer, at its deadline, by its signal. The server may go on with what it was asked all the same.
 * - While it takes in a guest the server answers nobody: then a call is refused here, at once.
 * - One connection, kept between calls: the server takes ten, and other programs want some.
 */
import type { Client } from "undici";
import type { RequestBodies } from "../../../model/cloud-hypervisor/api.ts";
import { isErrno, isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { systemSleep } from "../../../platform/sleep.ts";
import type { RawAnswer, RawRequest } from "../hypervisor.ts";
import { type AnswerOf, type BodyOf, ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { toError } from "./refusal.ts";
import { maxBodyBytes, requireSupported } from "./version.ts";
import { abortable } from "./wait.ts";

/** How often a socket is tried that is not there yet. The process opens it some 10 ms after its start. */
const RETRY_MS = 5;
/** The largest answer known, vm.info of a VM with hundreds of devices, has 300 KiB. Whoever sends more is not Cloud Hypervisor. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** The server never closes an idle connection by itself. */
const KEEP_MS = 5 * 60_000;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Instead of the endpoint's own. */
  readonly deadlineMs?: number;
}

type CallArguments<E extends Endpoint> = E extends keyof RequestBodies
  ? [body: BodyOf<E>, options: CallOptions]
  : [options: CallOptions];

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body: string | Uint8Array | null;
  readonly deadlineMs: number | null;
  readonly signal: AbortSignal;
}

export class ApiClient implements AsyncDisposable {
  readonly #socket: string;
  readonly #http: Client;
  #turn: Promise<void> = Promise.resolve();
  /** Of vm.info. The same text is the same object. */
  #last: { readonly text: string; readonly value: unknown } = { text: "", value: null };
  #version: string | null = null;
  #pid: number | null = null;
  #receiving = false;

  private constructor(socket: string, http: Client) {
    this.#socket = socket;
    this.#http = http;
  }

  /**
   * Waits until somebody answers there, at most until the signal, and asks for the version.
   * Rejects with HYPERVISOR_UNAVAILABLE. `patient` false: a socket that is not there is an error at once.
   */
  static async connect(
    socket: string,
    { signal, patient }: { readonly signal: AbortSignal; readonly patient: boolean },
  ): Promise<ApiClient> {
    const client = new ApiClient(socket, await openHttp(socket));
    try {
      for (;;) {
        try {
          const { version, pid } = await client.call("vmm.ping", { signal });
          requireSupported(version);
          client.#version = version;
          client.#pid = pid ?? null;
          return client;
        } catch (error) {
          if (!patient || !isOdoroboError(error) || !isNotThereYet(error.cause)) throw error;
        }
        await systemSleep(RETRY_MS, signal);
      }
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Null: it does not say. */
  get pid(): number | null {
    return this.#pid;
  }

  get version(): string {
    return this.#version ?? "";
  }

  /**
   * Rejects with what Cloud Hypervisor refused (see `refusal.ts`), with HYPERVISOR_UNAVAILABLE when it does not answer, with
   * PAYLOAD_TOO_LARGE for what it would not take.
   */
  async call<E extends Endpoint>(endpoint: E, ...rest: CallArguments<E>): Promise<AnswerOf<E>> {
    const options = rest.at(-1) as CallOptions;
    const body = rest.length === 2 ? JSON.stringify(rest[0]) : null;
    const { method, deadlineMs } = ENDPOINTS[endpoint];
    const answer = await this.#exchange(endpoint, {
      method,
      path: `/api/v1/${endpoint}`,
      body,
      deadlineMs: options.deadlineMs ?? deadlineMs,
      signal: options.signal,
    });
    const text = Buffer.from(answer.body).toString("utf8");
    if (answer.status < 200 || answer.status > 299)
      throw toError({ endpoint, status: answer.status, body: text, version: this.#version });
    if (text.trim() === "") return null as AnswerOf<E>;
    if (text === this.#last.text) return this.#last.value as AnswerOf<E>;
    const value = parse(endpoint, text);
    // A guest that nobody touches gives the same answer for days: whoever works with it need not do so again.
    if (endpoint === "vm.info") this.#last = { text, value };
    return value as AnswerOf<E>;
  }

  /** Whatever it answers, refusals included. In the same queue as everything else. */
  async raw({ method, path, body }: RawRequest, signal: AbortSignal): Promise<RawAnswer> {
    const endpoint = path.split("?", 1)[0] ?? "";
    const empty = body === null || body.length === 0;
    return this.#exchange(endpoint, {
      method: method.toUpperCase(),
      path: `/api/v1/${path}`,
      body: empty ? null : body,
      deadlineMs: null,
      signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.destroy();
  }

  async #exchange(endpoint: string, exchange: Exchange): Promise<RawAnswer> {
    this.#refuseTooLarge(endpoint, exchange.body);
    if (endpoint !== "vm.receive-migration") return this.#inTurn(endpoint, exchange);
    return this.#inTurn(endpoint, exchange, () => {
      this.#receiving = true;
    }).finally(() => {
      this.#receiving = false;
    });
  }

  /** After all that were asked before, whatever became of them. */
  async #inTurn(endpoint: string, exchange: Exchange, begun = () => {}): Promise<RawAnswer> {
    this.#refuseWhileReceiving(endpoint);
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = before.then(() => turn.promise);
    try {
      await abortable(before, exchange.signal);
      this.#refuseWhileReceiving(endpoint);
      begun();
      return await this.#send(endpoint, exchange);
    } finally {
      turn.resolve();
    }
  }

  async #send(endpoint: string, { method, path, body, deadlineMs, signal }: Exchange): Promise<RawAnswer> {
    signal.throwIfAborted();
    const deadline = deadlineMs === null ? null : AbortSignal.timeout(deadlineMs);
    const own = deadline === null ? signal : AbortSignal.any([signal, deadline]);
    try {
      const answer = await this.#http.request({
        method,
        path,
        headers: body === null ? { accept: "*/*" } : { accept: "*/*", "content-type": "application/json" },
        // Without a body, not even `{}`: most PUTs answer 400 to one.
        body,
        signal: own,
      });
      return {
        status: answer.statusCode,
        contentType: answer.headers["content-type"] === undefined ? null : String(answer.headers["content-type"]),
        body: new Uint8Array(await answer.body.arrayBuffer()),
      };
    } catch (cause) {
      signal.throwIfAborted();
      if (deadline?.aborted === true)
        throw this.#unavailable(`did not answer ${endpoint} within ${(deadlineMs ?? 0) / 1000} s`, undefined);
      throw this.#unavailable(
        isNotThereYet(cause) ? "is not there: nobody listens" : `broke off while asked for ${endpoint}`,
        cause,
      );
    }
  }

  #refuseTooLarge(endpoint: string, body: string | Uint8Array | null): void {
    if (body === null || this.#version === null) return;
    const bytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const limit = maxBodyBytes(this.#version);
    if (bytes <= limit) return;
    throw new OdoroboError(
      "PAYLOAD_TOO_LARGE",
      `${endpoint} would send ${bytes} bytes, Cloud Hypervisor ${this.#version} takes ${limit}`,
      { hint: "fewer devices, or shorter lists such as queue_affinity; v54 takes 4 MiB" },
    );
  }

  #refuseWhileReceiving(endpoint: string): void {
    if (!this.#receiving) return;
    throw new OdoroboError(
      "HYPERVISOR_BUSY",
      `it takes in a guest from another host: ${endpoint} would not be answered`,
      {
        hint: "wait until the guest is there; to call it off, end this process",
      },
    );
  }

  #unavailable(how: string, cause: unknown): OdoroboError {
    return new OdoroboError("HYPERVISOR_UNAVAILABLE", `Cloud Hypervisor on ${this.#socket} ${how}`, {
      cause,
      hint: "its last words are in cloud-hypervisor.log in the VM's log folder",
    });
  }
}

function parse(endpoint: Endpoint, text: string): unknown {
  try {
    return JSON.parse(text, withoutNull);
  } catch (cause) {
    throw new OdoroboError("HYPERVISOR_FAILED", `Cloud Hypervisor's answer to ${endpoint} is no JSON`, { cause });
  }
}

/** Up to v52 what is not set is null; since then it is left out. */
const withoutNull = (_key: string, value: unknown): unknown => (value === null ? undefined : value);

const isNotThereYet = (error: unknown): boolean => isErrno(error, "ENOENT") || isErrno(error, "ECONNREFUSED");

/** undici is loaded with the first guest: an agent without any has no need of its 20 MB. */
async function openHttp(socket: string): Promise<Client> {
  const { Client } = await import("undici");
  return new Client("http://localhost", {
    connect: { socketPath: socket },
    pipelining: 1,
    keepAliveTimeout: KEEP_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
}
