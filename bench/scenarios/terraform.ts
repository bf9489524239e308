/**
 * Terraform or OpenTofu beside us: the same VM files read by `for_each` and `yamldecode`, one built-in `terraform_data` object each,
 * all of them in its state; then its plan with nothing to do and ours, in turns. It compares files with its state file, we with agents.
 */
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandOptions, runCommand, type Sample } from "../measure.ts";
import { onPath } from "../on-path.ts";
import { type PreparedFleet, prepareFleet } from "../prepared-fleet.ts";
import { notMeasured, type Row, ratioRow, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { sizesFor } from "../sizes.ts";
import { stateOf } from "../terraform-state.ts";
import { planOnce } from "./plan.ts";

/** For all it does with one fleet. What is slower than that is not worth more of anybody's time. */
const PATIENCE_MS = 120_000;

/** In the form that suits it best: a map of all decoded files would be evaluated for each object again. */
const CONFIGURATION = `locals {
  files = toset([for file in fileset("\${path.module}/vms", "**/*.yaml") : file if !endswith(file, "group.yaml")])
}
resource "terraform_data" "vm" {
  for_each = local.files
  input    = yamldecode(file("\${path.module}/vms/\${each.value}"))
}
`;

export const terraform: Scenario = {
  name: "terraform",
  about: "a plan with nothing to do, beside terraform or tofu on the same files",
  async run(bench) {
    const program = onPath("terraform", "tofu");
    if (program === null) return [notMeasured("terraform", "neither terraform nor tofu is on the PATH")];
    const { small, large, label } = sizesFor(bench.quick);
    const rows: Row[] = [];
    for (const size of [small, large]) {
      const fleet = await prepareFleet(bench.ours, size, bench);
      bench.say(`${program} with ${size.vms} objects`);
      rows.push(...(await compare(program, label(size), fleet, bench)));
    }
    return rows;
  },
};

async function compare(program: string, label: string, fleet: PreparedFleet, bench: Bench): Promise<Row[]> {
  const folder = join(bench.scratch, `t${fleet.vms}`);
  await mkdir(folder);
  await cp(join(fleet.manifests, "vms"), join(folder, "vms"), { recursive: true });
  await writeFile(join(folder, "main.tf"), CONFIGURATION);
  const env = { ...bench.ours.env, TF_CLI_CONFIG_FILE: "/dev/null", CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1" };
  const deadline = performance.now() + PATIENCE_MS;
  const run = (...args: string[]) => {
    const timeoutMs = Math.max(1, Math.round(deadline - performance.now()));
    const options: CommandOptions = { signal: bench.signal, env, cwd: folder, timeoutMs };
    return runCommand(program, [...args, "-input=false", "-no-color"], options);
  };
  const theirs: Sample[] = [];
  const ours: Sample[] = [];
  try {
    await run("init");
    await writeFile(
      join(folder, "terraform.tfstate"),
      await stateOf(await vmFiles(folder), await versionOf(program, { signal: bench.signal, env })),
    );
    await planOnce(fleet, bench.ours, bench);
    const pairs = bench.quick ? 1 : 3;
    for (let pair = 0; pair < pairs; pair++) {
      theirs.push(await run("plan", "-detailed-exitcode"));
      ours.push(await planOnce(fleet, bench.ours, bench));
    }
  } catch (error) {
    bench.signal.throwIfAborted();
    if (theirs.length === 0) return [notMeasured(`${program} plan ${label}`, whyNot(error))];
  }
  const ratios = ours.map((sample, pair) => sample.milliseconds / (theirs[pair]?.milliseconds ?? Number.NaN));
  return [
    rowOf(`${program} plan ${label}`, theirs, { did: `${fleet.vms} terraform_data objects: ${lastLine(theirs[0])}` }),
    rowOf(`our plan ${label}, warm`, ours),
    ratioRow(`ours : ${program}, ${label}`, ratios, "each pair in turns"),
  ];
}

/** By the names that `for_each` gives them. */
async function vmFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(join(folder, "vms"), { recursive: true });
  const vms = names.filter((name) => name.endsWith(".yaml") && !name.endsWith("group.yaml"));
  return new Map(vms.sort().map((name) => [name, join(folder, "vms", name)]));
}

async function versionOf(program: string, options: CommandOptions): Promise<string> {
  const { did } = await runCommand(program, ["version", "-json"], options);
  return (JSON.parse(did) as { terraform_version: string }).terraform_version;
}

const whyNot = (error: unknown): string =>
  `not measured within ${PATIENCE_MS / 1_000} s: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;

const lastLine = (sample: Sample | undefined): string =>
  sample?.did.split("\n").find((line) => line.startsWith("No changes")) ?? "";
