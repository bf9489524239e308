/**
 * A document of the gateway that is shown, and read again when something happened that concerns it. What was read is kept while the page
 * is open: who comes back sees it at once, and then what has become of it.
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { GatewayEvent } from "../../report/gateway/gateway-event.ts";
import { get, type Refused, refusedBy } from "./http.ts";
import { onEvent } from "./live.ts";

export interface Read<Document> {
  /** Null: nothing came yet. */
  readonly document: Document | null;
  /** Of the last time that it was asked for; what came before is kept beside it. */
  readonly refused: Refused | null;
}

/** Whether an event concerns it. */
export type Concerns = (event: GatewayEvent) => boolean;

const NOTHING = { document: null, refused: null } as const;
/** Documents of views that were left. */
const MOST_KEPT = 60;

class Resource {
  readonly path: string;
  readonly read: Signal<Read<unknown>> = signal(NOTHING);
  readonly concerns = new Map<object, Concerns>();
  #isReading = false;
  #isDue = false;
  #tookMs = 0;

  constructor(path: string) {
    this.path = path;
  }

  hear(event: GatewayEvent | null): void {
    if (event === null || [...this.concerns.values()].some((concerns) => concerns(event))) this.refresh();
  }

  /** At most one at a time; what comes meanwhile has it read once more. A large document is read less often. */
  refresh(): void {
    if (this.#isReading) {
      this.#isDue = true;
      return;
    }
    this.#isReading = true;
    void this.#readAgain();
  }

  async #readAgain(): Promise<void> {
    const began = performance.now();
    try {
      this.read.value = { document: await get(this.path), refused: null };
    } catch (error) {
      const refused = refusedBy(error);
      // What is gone is gone; what does not answer was as it is shown.
      const isGone = refused.status === 404 || refused.status === 403;
      this.read.value = { document: isGone ? null : this.read.value.document, refused };
    }
    this.#tookMs = performance.now() - began;
    setTimeout(
      () => {
        this.#isReading = false;
        if (!this.#isDue || this.concerns.size === 0) return;
        this.#isDue = false;
        this.refresh();
      },
      Math.min(3_000, this.#tookMs * 3),
    );
  }
}

const resources = new Map<string, Resource>();

onEvent((event) => {
  for (const resource of resources.values()) if (resource.concerns.size > 0) resource.hear(event);
});

export function forgetAll(): void {
  for (const [path, resource] of resources) {
    resource.read.value = NOTHING;
    if (resource.concerns.size === 0) resources.delete(path);
  }
}

export function readAllAgain(): void {
  for (const resource of resources.values()) if (resource.concerns.size > 0) resource.refresh();
}

function resourceAt(path: string): Resource {
  const known = resources.get(path);
  if (known !== undefined) return known;
  if (resources.size >= MOST_KEPT)
    for (const [other, { concerns }] of resources) if (concerns.size === 0) resources.delete(other);
  const made = new Resource(path);
  resources.set(path, made);
  return made;
}

/** Of a document that nobody shows right now: whoever does reads it again. */
export const refresh = (path: string): void => resources.get(path)?.refresh();

/** Null as path: there is nothing to read. `concerns` must not change while the path stays. */
export function useResource<Document>(path: string | null, concerns: Concerns): Read<Document> {
  const resource = path === null ? null : resourceAt(path);
  useEffect(() => {
    if (resource === null) return;
    const key = {};
    resource.concerns.set(key, concerns);
    resource.refresh();
    return () => void resource.concerns.delete(key);
  }, [resource]);
  return (resource?.read.value ?? NOTHING) as Read<Document>;
}
