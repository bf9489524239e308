/** `odorobo runs … --gateway URL`: the runs of a gateway, by its API, told as those of this machine are. */
import { Flags } from "@oclif/core";
import type { ApplyReport } from "../../../apply/apply-report.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import type { RunDocument, RunList, RunSummary } from "../../../report/run-document.ts";
import { renderRun, renderRuns } from "../../../report/runs-text.ts";
import type { RunOrder } from "../../../run/decide.ts";
import type { RunEvent } from "../../../run/journal.ts";
import { onlyNews, toApplyEvent } from "../../../run/watch.ts";
import type { GatewayClient } from "../../../wire/gateway-client.ts";
import { applyExitCode } from "../exit-code.ts";
import { type AgentFlags, agentFlags, toAccess } from "../flags.ts";
import type { Interrupts } from "../interrupt.ts";
import { openProgress } from "../screen/show-progress.ts";
import type { Screen } from "../screen/terminal.ts";

const { "token-file": tokenFile, "tls-ca": tlsCa, "tls-cert": tlsCert, "tls-key": tlsKey } = agentFlags;

export const gatewayFlag = {
  gateway: Flags.string({
    summary: "ask the gateway at that address, instead of this machine; --token-file has its token",
    helpValue: "URL",
    env: "ODOROBO_GATEWAY",
    helpGroup: "GATEWAY",
  }),
};

/** For commands that ask no agents. */
export const remoteFlags = {
  ...gatewayFlag,
  "token-file": { ...tokenFile, summary: "file with the token that the gateway asks for", helpGroup: "GATEWAY" },
  "tls-ca": { ...tlsCa, summary: "certificate authority of the gateway", helpGroup: "GATEWAY" },
  "tls-cert": { ...tlsCert, summary: "certificate to show to the gateway", helpGroup: "GATEWAY" },
  "tls-key": { ...tlsKey, helpGroup: "GATEWAY" },
};

/** Throws USAGE for an address that is none. */
export async function openGateway(address: string, flags: AgentFlags): Promise<GatewayClient> {
  const { GatewayClient } = await import("../../../wire/gateway-client.ts");
  return new GatewayClient(address, toAccess(flags));
}

export async function listRemote(
  screen: Screen,
  client: GatewayClient,
  { first }: Pick<Interrupts, "first">,
): Promise<RunList> {
  const list = await client.get<RunList>("/v1/runs", first);
  screen.print(renderRuns(list, { colour: screen.colour, width: screen.width, place: placeOf(client) }));
  return list;
}

export async function showRemote(
  screen: Screen,
  client: GatewayClient,
  id: string,
  { first }: Pick<Interrupts, "first">,
): Promise<RunDocument> {
  const run = await client.get<RunDocument>(pathOf(id), first);
  return show(screen, client, run, first);
}

/** `name` undefined: the only one that waits (approve, refuse), or that is not over. Rejects with what the gateway has against it. */
export async function orderRemote(
  screen: Screen,
  client: GatewayClient,
  name: string | undefined,
  { kind, reason }: Pick<RunOrder, "reason"> & { readonly kind: RunOrder["kind"] | "resume" },
  { first }: Pick<Interrupts, "first">,
): Promise<RunDocument> {
  const isAnswer = kind === "approve" || kind === "refuse";
  const isMeant = ({ status }: RunSummary) => (isAnswer ? status === "waiting" : OPEN.has(status));
  const id = await onlyOne(client, name, isMeant, isAnswer ? "waiting for an approval" : "under way or paused", first);
  const body = reason === undefined ? {} : { reason };
  return await show(screen, client, await client.post<RunDocument>(`${pathOf(id)}/${kind}`, body, first), first);
}

/** Looks on until nobody executes it any more, and exits as the apply would have. Ctrl-C: it goes on without you. */
export async function attachRemote(
  screen: Screen,
  client: GatewayClient,
  name: string | undefined,
  { first }: Pick<Interrupts, "first">,
): Promise<ApplyReport> {
  const id = await onlyOne(client, name, ({ status }) => OPEN.has(status), "under way or paused", first);
  const plan = await client.get<Plan>(`${pathOf(id)}/plan`, first);
  {
    using progress = openProgress(process.stderr, { colour: screen.noteColour });
    const toShow = toApplyEvent(plan);
    const news = onlyNews((event) => progress.show(event));
    for await (const { data } of client.events(`${pathOf(id)}/events`, first)) {
      const shown = toShow(data as RunEvent);
      if (shown !== null) news(shown);
    }
  }
  const run = await client.get<RunDocument>(pathOf(id), first);
  await show(screen, client, run, first);
  process.exitCode = applyExitCode(plan, run.report);
  return run.report;
}

const OPEN: ReadonlySet<string> = new Set(["approved", "running", "pausing", "paused", "aborting", "stranded"]);

/** The token's file is no part of it: whoever needs one has it in ODOROBO_TOKEN_FILE, or gives it as before. */
const placeOf = ({ address }: GatewayClient): string => `--gateway ${address}`;

const pathOf = (id: string): string => `/v1/runs/${encodeURIComponent(id)}`;

async function show(
  screen: Screen,
  client: GatewayClient,
  run: RunDocument,
  signal: AbortSignal,
): Promise<RunDocument> {
  if (!screen.json)
    screen.print(
      renderRun(run, await client.get<Plan>(`${pathOf(run.id)}/plan`, signal), {
        colour: screen.colour,
        place: placeOf(client),
      }),
    );
  return run;
}

async function onlyOne(
  client: GatewayClient,
  name: string | undefined,
  isMeant: (run: RunSummary) => boolean,
  how: string,
  signal: AbortSignal,
): Promise<string> {
  if (name !== undefined) return name;
  const open = (await client.get<RunList>("/v1/runs", signal)).runs.filter(isMeant);
  if (open.length === 1 && open[0] !== undefined) return open[0].id;
  const what = open.length === 0 ? `no run is ${how}` : `${open.length} runs are ${how}`;
  throw new OdoroboError("USAGE", `which run? ${what} at ${client.address}`, {
    hint: `odorobo runs list --gateway ${client.address} shows them`,
  });
}
