/**
 * `npm run bench`: what planning and applying cost, in one table.
 *
 *   npm run bench                    all scenarios
 *   npm run bench -- plan apply      some of them; `gateway` is all that begin so
 *   npm run bench -- plan --against REV
 *                                    the same of a commit, in turns in one run, and the ratios pair by pair
 *   npm run bench -- schedule --out FOLDER
 *                                    keeps the fleets and the plans of them there, for whoever wants to check them
 *   npm run bench -- --json          the rows as JSON; --markdown: the table as it stands in docs/figures.md
 *   npm run bench -- --quick         small sizes, once each, and what is compiled is taken from wherever it is: only to see that it works
 *   npm run bench -- --installed FOLDER
 *                                    the work tree's command as it was built there: nothing is built
 *
 * Talks to this machine only, and leaves nothing behind. Exits with 1 when a scenario could not do its work; a missed target is in the table.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { endGuests } from "./end-guests.ts";
import { type Row, verdictOf } from "./row.ts";
import type { Bench, Scenario } from "./scenario.ts";
import { agent } from "./scenarios/agent.ts";
import { applyNoop } from "./scenarios/apply-noop.ts";
import { applyQemu } from "./scenarios/apply-qemu.ts";
import { diff } from "./scenarios/diff.ts";
import { gatewayApplies } from "./scenarios/gateway-applies.ts";
import { gatewayPlans } from "./scenarios/gateway-plans.ts";
import { gatewayRevisions } from "./scenarios/gateway-revisions.ts";
import { migrate } from "./scenarios/migrate.ts";
import { plan } from "./scenarios/plan.ts";
import { schedule } from "./scenarios/schedule.ts";
import { startUp } from "./scenarios/start-up.ts";
import { terraform } from "./scenarios/terraform.ts";
import { describeLoad, describeMachine, renderMarkdown, renderTable } from "./table.ts";
import { checkOut, workTree } from "./tree.ts";

/** `gateway` is all of them. */
const GATEWAY: readonly Scenario[] = [gatewayApplies, gatewayPlans, gatewayRevisions];
const SCENARIOS: readonly Scenario[] = [
  startUp,
  plan,
  diff,
  applyNoop,
  applyQemu,
  agent,
  migrate,
  terraform,
  schedule,
  ...GATEWAY,
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    against: { type: "string" },
    out: { type: "string" },
    installed: { type: "string" },
  },
});
const names = positionals.flatMap((name) => (name === "gateway" ? GATEWAY.map((each) => each.name) : name));
const strangers = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (strangers.length > 0) {
  const known = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(19)}${about}`).join("\n");
  console.error(`there is no scenario ${strangers.join(", ")}; there are:\n${known}`);
  process.exitCode = 1;
} else {
  const chosen = SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
  process.exitCode = await run(chosen, flags);
}

interface Flags {
  readonly quick: boolean;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly against?: string | undefined;
  readonly out?: string | undefined;
  readonly installed?: string | undefined;
}

async function run(chosen: readonly Scenario[], flags: Flags): Promise<number> {
  const { quick, json, markdown, against, out, installed = null } = flags;
  const load = describeLoad();
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      console.error(`${signal}: cleaning up, what was measured so far follows`);
      interrupted.abort();
    });
  // Whoever read the table may have gone; what is cleaned up afterwards is cleaned up all the same.
  process.stdout.on("error", () => {});
  const scratch = await mkdtemp(join(tmpdir(), "odb-"));
  try {
    const rows: Row[] = [];
    const say = (text: string) => void process.stderr.write(`${text} …\n`);
    const { signal } = interrupted;
    const ours = await workTree(scratch, quick);
    const base = against === undefined ? null : await checkOut(against, scratch, quick, signal);
    const kept = out === undefined ? null : resolve(out);
    const bench: Bench = { scratch, quick, out: kept, installed, ours, base, signal, say };
    let failed = false;
    for (const scenario of chosen) {
      if (interrupted.signal.aborted) break;
      try {
        rows.push(...(await scenario.run(bench)));
      } catch (error) {
        if (interrupted.signal.aborted) break;
        failed = true;
        console.error(`${scenario.name} failed:`, error);
      }
    }
    console.log(json ? toJson(rows, load) : toText(rows, load, { quick, markdown }));
    return failed ? 1 : interrupted.signal.aborted ? 130 : 0;
  } catch (error) {
    // Nothing was measured: what it should be compared with cannot be had.
    console.error(error instanceof Error ? error.message : error);
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    endGuests(scratch);
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

function toJson(rows: readonly Row[], load: string): string {
  return JSON.stringify(
    { machine: describeMachine(), load, rows: rows.map((row) => ({ ...row, verdict: verdictOf(row) })) },
    null,
    2,
  );
}

function toText(rows: readonly Row[], load: string, { quick, markdown }: Pick<Flags, "quick" | "markdown">): string {
  return [
    `${describeMachine()}; ${load}${quick ? "; --quick: small sizes, nothing is judged" : ""}`,
    "",
    markdown ? renderMarkdown(rows) : renderTable(rows),
    "",
    "Agents of plan and diff answer in the same process, through their own HTTP handlers, with reports made beforehand: JSON both ways",
    "and the check of its shape are in the figure, an agent's own work is not. Whole processes, from their start to their end.",
  ].join("\n");
}
