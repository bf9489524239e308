/**
 * POST /v1/look: whether this node has the files and bridges that a plan needs.
 *
 * A boot tells whether a file is there, so whoever may give a VM a spec is told at once. Who may only look is told of bridges, and nothing of files:
 * plans of theirs go on without.
 */
import type { LookQuestion } from "../../../model/boot/boot-needs.ts";
import { includesRole } from "../../../model/role.ts";
import { json } from "../../../platform/http/answers.ts";
import type { LookResult } from "../../../wire/look.ts";
import { type Call, readDocument } from "../calls/call.ts";

export async function postLook(call: Call): Promise<Response> {
  const { questions } = await readDocument<{ readonly questions: readonly LookQuestion[] }>(call, "look-request");
  const seesFiles = includesRole(call.caller.role, "apply");
  const asked = questions.map((question) => (question.kind === "bridge" || seesFiles ? question : null));
  const result: LookResult = { answers: await call.parts.lifecycle.lookFor(asked, call.signal) };
  return json(200, result);
}
