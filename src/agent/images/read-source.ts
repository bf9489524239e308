/**
 * The bytes of a source, from the first to the last, whatever becomes of connections: cut ones are taken up again where they broke, and where one
 * mirror gives up the next goes on.
 *
 *   pull-image.ts → [read-source.ts] → open-url.ts
 *
 * Whether they are the right ones only their checksum says, when all are there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import { type OpenedUrl, openUrl } from "./open-url.ts";
import type { Pace } from "./pace.ts";

export interface ReadOptions {
  readonly urls: readonly string[];
  /** Bytes that are there already, as one mirror gave them; `etag` of its file. */
  readonly from: number;
  readonly etag: string | null;
  readonly allowPrivate: boolean;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  /** Told before the first byte of each answer. */
  readonly onAnswer?: (answer: { readonly totalBytes: number | null; readonly etag: string | null }) => Promise<void>;
}

/** Cuts after which a mirror is left, when not one byte came in between. */
const MOST_FRUITLESS = 4;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/** What came before is of another file: whoever reads begins anew. */
export class OtherFile extends Error {}

export class SourceReader {
  readonly #options: ReadOptions;
  #at: number;
  #etag: string | null;
  #totalBytes: number | null = null;
  /** More than one answer was put together: should the checksum not be right, that may be why. */
  pieced: boolean;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#at = options.from;
    this.#etag = options.etag;
    this.pieced = options.from > 0;
  }

  /** Throws OtherFile, IMAGE_REFUSED or IMAGE_FETCH_FAILED. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    const { urls, signal } = this.#options;
    const said: string[] = [];
    for (const [index, url] of urls.entries()) {
      // Another mirror has tags of its own: its file's length has to do.
      if (index > 0) this.#etag = null;
      try {
        return yield* this.#from(url);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof OtherFile) throw error;
        said.push(error instanceof Error ? error.message : String(error));
        const isLast = index === urls.length - 1;
        if (isLast && urls.length === 1 && isOdoroboError(error)) throw error;
        if (isLast)
          throw new OdoroboError("IMAGE_FETCH_FAILED", said.join("; "), {
            cause: error,
            hint: "can this node reach it? what came already is kept, and fetching goes on from there",
          });
      }
    }
  }

  async *#from(url: string): AsyncGenerator<Uint8Array> {
    for (let fruitless = 0; ; ) {
      const before = this.#at;
      try {
        yield* this.#oneAnswer(url);
        return;
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (isOdoroboError(error) || error instanceof OtherFile) throw error;
        fruitless = this.#at > before ? 0 : fruitless + 1;
        if (fruitless >= MOST_FRUITLESS) throw error;
        await sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** fruitless), undefined, {
          signal: this.#options.signal,
        });
      }
    }
  }

  async *#oneAnswer(url: string): AsyncGenerator<Uint8Array> {
    const { allowPrivate, signal, pace, onAnswer } = this.#options;
    await using opened = await openUrl(url, { from: this.#at, etag: this.#etag, allowPrivate, signal });
    this.#accept(url, opened);
    await onAnswer?.({ totalBytes: this.#totalBytes, etag: this.#etag });
    for await (const chunk of opened.body) {
      if (chunk.length === 0) continue;
      await pace.take(chunk.length, signal);
      this.#at += chunk.length;
      yield chunk;
    }
    if (this.#totalBytes !== null && this.#at < this.#totalBytes)
      throw new Error(`${url} broke off at byte ${this.#at} of ${this.#totalBytes}`);
  }

  #accept(url: string, { from, totalBytes, etag }: OpenedUrl): void {
    if (this.#at > 0) {
      const isOther =
        from !== this.#at ||
        (this.#etag !== null && etag !== null && etag !== this.#etag) ||
        (this.#totalBytes !== null && totalBytes !== null && totalBytes !== this.#totalBytes);
      if (isOther) throw new OtherFile(`what ${url} offers is not what came before`);
      this.pieced = true;
    }
    this.#etag = etag ?? this.#etag;
    this.#totalBytes = totalBytes ?? this.#totalBytes;
  }
}
