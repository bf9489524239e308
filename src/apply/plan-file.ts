/**
 * A plan as a file: written by `plan --out`, read back by `apply plan.json`.
 *
 * What is read is a plan of this version, whole and untouched, or it is refused: the file is what a person reviewed.
 */
import { readFile, realpath, stat, writeFile } from "node:fs/promises";
import { isErrno, isOdoroboError, OdoroboError } from "../model/errors.ts";
import { PLAN_VERSION, type Plan } from "../plan/plan-document.ts";
import { planIdOf } from "../plan/plan-id.ts";
import { writeFileAtomically } from "../platform/atomic-write.ts";
import { findPlanError } from "../wire/check-shape.ts";

/** As the umask has it, like any output file: a plan holds no secrets, and CI hands it from job to job. */
const MODE = 0o666;

/** A plan that creates 10,000 VMs is about 30 MiB. */
const MAX_BYTES = 256 * 1024 * 1024;

const NEW_PLAN = "make a new one: odorobo plan --out FILE";

/** Atomic where the path is a file or nothing; a pipe or terminal (`/dev/stdout`) is written to as it is. Rejects with FILE_UNWRITABLE. */
export async function writePlanFile(path: string, plan: Plan): Promise<void> {
  const text = `${JSON.stringify(plan, null, 2)}\n`;
  try {
    const target = await findTarget(path);
    if (target.isFile) await writeFileAtomically(target.path, text, MODE);
    else await writeFile(target.path, text);
  } catch (error) {
    if (isOdoroboError(error)) throw error;
    throw new OdoroboError("FILE_UNWRITABLE", `the plan could not be written to ${path}`, {
      cause: error,
      hint: isErrno(error, "ENOENT") ? "its folder does not exist" : "choose another path with --out",
    });
  }
}

/** Rejects with PLAN_FILE_INVALID or PLAN_VERSION. */
export async function readPlanFile(path: string): Promise<Plan> {
  const value = parse(path, await readText(path));
  requirePlan(path, value);
  const mistake = findPlanError(value);
  if (mistake !== null)
    throw invalid(`${path} is not a whole plan: ${mistake}`, `it was changed or made by another program; ${NEW_PLAN}`);
  const plan = value as Plan;
  if (planIdOf(plan) !== plan.id) {
    throw invalid(
      `${path} was changed after it was made: its content does not fit its id ${plan.id}`,
      `a reviewed plan is applied as it is or not at all; ${NEW_PLAN}`,
    );
  }
  return plan;
}

const invalid = (message: string, hint: string, cause?: unknown): OdoroboError =>
  new OdoroboError("PLAN_FILE_INVALID", message, { hint, cause });

/** Through symbolic links, so that renaming over a link (`/dev/stdout` is one) does not replace the link. */
async function findTarget(path: string): Promise<{ readonly path: string; readonly isFile: boolean }> {
  try {
    const facts = await stat(path);
    if (facts.isDirectory()) {
      throw new OdoroboError("FILE_UNWRITABLE", `${path} is a folder, not a file to write the plan to`, {
        hint: `name a file in it: --out ${path.replace(/\/+$/, "")}/plan.json`,
      });
    }
    return facts.isFile() ? { path: await realpath(path), isFile: true } : { path, isFile: false };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return { path, isFile: true };
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  try {
    const facts = await stat(path);
    if (facts.isDirectory())
      throw invalid(`${path} is a folder, not a plan file`, `name the file that plan --out wrote, or ${NEW_PLAN}`);
    if (facts.size > MAX_BYTES)
      throw invalid(`${path} is larger than any plan (${facts.size} bytes)`, `is it the right file? ${NEW_PLAN}`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (isOdoroboError(error)) throw error;
    if (isErrno(error, "ENOENT")) throw invalid(`there is no plan file ${path}`, NEW_PLAN, error);
    throw invalid(`the plan file ${path} could not be read`, "check its path and permissions", error);
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const body = text.trim();
    if (body === "") throw invalid(`${path} is empty`, NEW_PLAN, error);
    if (body.startsWith("{"))
      throw invalid(`${path} is cut off or damaged: it is not whole JSON`, `copy it again, or ${NEW_PLAN}`, error);
    throw invalid(`${path} is not JSON`, `is it the right file? ${NEW_PLAN}`, error);
  }
}

/** Kind and version come first: what another version means by the rest is not ours to judge. */
function requirePlan(path: string, value: unknown): void {
  const { kind, version } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (kind !== "Plan") {
    const what =
      typeof kind === "string" ? `a document of kind ${JSON.stringify(kind.slice(0, 40))}` : "some other JSON";
    throw invalid(`${path} is not a plan but ${what}`, `is it the right file? ${NEW_PLAN}`);
  }
  if (version !== PLAN_VERSION) {
    const made = typeof version === "number" ? `made by version ${version}` : "without a version";
    throw new OdoroboError("PLAN_VERSION", `${path} is a plan ${made}; this odorobo reads version ${PLAN_VERSION}`, {
      hint: `apply it with the odorobo that made it, or ${NEW_PLAN}`,
    });
  }
}
