/** What happens at a fleet's agents: one stream of events for each, taken up again by the event's id when it was cut. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DesiredNode } from "../../model/desired-state.ts";
import { isOdoroboError } from "../../model/errors.ts";
import type { NodeName } from "../../model/names.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { AgentNews } from "../../turn/held/agent-news.ts";
import { connectAgent } from "../../wire/client.ts";

/** Between two tries to reach an agent that is away. */
const AWAY_MS = 1_000;
/** Shorter than an apply's patience: to be away is news here. */
const PATIENCE = { awayMs: 2_000 };

export class AgentFollower implements AsyncDisposable {
  readonly #access: AgentAccess;
  readonly #onChange: (why: string) => void;
  readonly #news: AgentNews;
  readonly #followed = new Map<
    NodeName,
    { readonly address: string; readonly stop: AbortController; done: Promise<void> }
  >();

  /** `news`: is told of each agent's line, before `onChange` is. */
  constructor(access: AgentAccess, news: AgentNews, onChange: (why: string) => void) {
    this.#access = access;
    this.#news = news;
    this.#onChange = onChange;
  }

  /** Those and no others are followed from now on. */
  follow(nodes: readonly Pick<DesiredNode, "name" | "address">[]): void {
    const wanted = new Map(nodes.map(({ name, address }) => [name, address]));
    for (const [name, { address, stop }] of this.#followed) {
      if (wanted.get(name) === address) continue;
      stop.abort();
      this.#followed.delete(name);
    }
    for (const [name, address] of wanted) {
      if (this.#followed.has(name)) continue;
      const stop = new AbortController();
      this.#followed.set(name, { address, stop, done: this.#followOne(name, address, stop.signal) });
    }
  }

  async #followOne(name: NodeName, address: string, signal: AbortSignal): Promise<void> {
    // Made anew after each failure: a token may have been exchanged meanwhile.
    let client = connectAgent({ ...this.#access, address, patience: PATIENCE });
    const line = this.#news.open(name);
    let last: number | null = null;
    let isAway = false;
    let isFirst = true;
    const heard = {
      ...line,
      up: () => {
        line.up();
        // What happened since the line was cut is told again only to who names the event before it.
        if (!isFirst && last === null) this.#onChange(`${name} is heard again`);
        isFirst = false;
      },
    };
    try {
      for (;;) {
        try {
          for await (const event of client.events(last, signal, heard)) {
            last = event.sequence;
            line.told();
            this.#onChange(`${name}: ${event.message}`);
          }
        } catch (error) {
          signal.throwIfAborted();
          if (!isAway) this.#onChange(`${name} is away${isOdoroboError(error) ? `: ${error.message}` : ""}`);
          isAway = true;
          await sleep(AWAY_MS, undefined, { signal });
          await client.close();
          client = connectAgent({ ...this.#access, address, patience: PATIENCE });
          // It may be back without having anything to tell.
          if (
            !(await client.report(signal).then(
              () => true,
              () => false,
            ))
          )
            continue;
          isAway = false;
          isFirst = true;
          this.#onChange(`${name} is back`);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      line.close();
      await client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#followed.values()];
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ done }) => done));
  }
}
