/** A fleet's repository and its agents: is it there, is it signed, what does it say, and does everybody answer that it names? */
import type { Finding } from "../../../model/doctor-report.ts";
import type { Clock } from "../../../platform/clock.ts";
import { Repository } from "../../../source/repository.ts";
import { connectAgents, observeAgents } from "../../../turn/connect-agents.ts";
import { type Fleet, loadFleetAt } from "../../../turn/read-fleet.ts";
import type { FleetConfig } from "../gateway-config.ts";
import { failure, finding, ok } from "./finding.ts";

export interface CheckedRepository {
  readonly findings: readonly Finding[];
  /** The fleet that the manifests name; null: they could not be read. */
  readonly named: string | null;
}

/** Guests, certificates and signatures go by clocks that agree. */
const CLOCK_APART_MS = 30_000;

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? "" : "s"}`;

export async function checkRepository(
  config: FleetConfig,
  { dataFolder, clock }: { readonly dataFolder: string; readonly clock: Clock },
  signal: AbortSignal,
): Promise<CheckedRepository> {
  const { url, ref, path, ...credentials } = config.repository;
  const findings: Finding[] = [];
  let named: string | null = null;
  let stage = "repository";
  try {
    const repository = new Repository({ url, credentials }, dataFolder);
    const found = await repository.find(ref ?? "HEAD", signal);
    const where = `${ref ?? "its default branch"} is at ${found.commit.slice(0, 12)}`;
    findings.push(
      found.hidesTag
        ? finding(
            "warn",
            "repository",
            `${where}; a tag of that name is passed over`,
            "say refs/heads/… or refs/tags/…",
          )
        : ok("repository", where),
    );
    await repository.bring(found, signal);
    findings.push(...(await checkSigned(repository, found.commit, config.requireSigned, signal)));
    stage = "manifests";
    const fleet = await loadFleetAt(repository, found.commit, path, signal);
    named = fleet.desired.fleet.name;
    const { vms, nodes } = fleet.desired;
    const said = `the fleet ${named}: ${count(vms.length, "VM")} on ${count(nodes.length, "node")}`;
    findings.push(
      fleet.warnings.length === 0
        ? ok("manifests", said)
        : finding("warn", "manifests", `${said}; ${fleet.warnings.length} warnings`, "odorobo validate shows them"),
    );
    stage = "agents";
    findings.push(...(await checkAgents(fleet, config, clock, signal)));
  } catch (error) {
    signal.throwIfAborted();
    findings.push(failure(stage, error));
  }
  return { findings, named };
}

async function checkSigned(
  repository: Repository,
  commit: string,
  signers: string | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (signers === null) return [];
  try {
    const answer = await repository.verify(commit, signers, signal);
    if ("by" in answer) return [ok("signature", `the commit is signed by ${answer.by}`)];
    return [finding("fail", "signature", answer.problem, `sign it with a key that ${signers} names`)];
  } catch (error) {
    return [failure("signature", error)];
  }
}

async function checkAgents(
  { desired, specs }: Fleet,
  { agents: access }: FleetConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding[]> {
  await using agents = await connectAgents(desired.nodes, access, specs);
  const { nodes } = await observeAgents(desired.nodes, agents, { access, clock, signal });
  return nodes.map((node): Finding => {
    const check = `agent ${node.name}`;
    if (node.reach === "silent")
      return finding(
        "fail",
        check,
        node.error,
        "is it running, and may our token ask it? odorobo doctor --agent URL says more",
      );
    const apart = Math.abs(Date.parse(node.report.at) - Date.parse(clock.now()));
    if (apart > CLOCK_APART_MS)
      return finding(
        "warn",
        check,
        `its clock is ${Math.round(apart / 1000)} s apart from ours`,
        "let both machines keep time: chrony",
      );
    return ok(check, `answers, with ${count(node.report.vms.length, "VM")}`);
  });
}
