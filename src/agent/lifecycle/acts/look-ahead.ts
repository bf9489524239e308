/**
 * Whether this node has the files and bridges that guests need: asked by plans before anything is begun, and by the agent itself before it stops
 * or starts a guest. What a hook in front of the boot may yet bring (`before-boot.d`: a mapped volume, a bridge) is not said to be missing.
 */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { bootNeeds, type LookAnswer, type LookQuestion, questionKey } from "../../../model/boot/boot-needs.ts";
import { isErrno, isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { RemoteImage } from "../../../model/remote-image.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import { checkImage } from "../../storage/check-format.ts";
import { untilAborted } from "../parts/deadline.ts";
import type { Parts } from "../parts/parts.ts";

const MIB = 1024 * 1024;
const FOUND: LookAnswer = { found: true };

/** Null: it cannot be said. Rejects only with the signal's reason. */
export async function lookFor(parts: Parts, question: LookQuestion, signal: AbortSignal): Promise<LookAnswer | null> {
  try {
    switch (question.kind) {
      case "file":
        await access(question.path, constants.R_OK);
        return (await stat(question.path)).isDirectory() ? missing(`${question.path} is a folder`) : FOUND;
      case "image": {
        const bytes = await checkImage(question.image, question.path, question.format);
        return { found: true, sizeMiB: Math.ceil(bytes / MIB) };
      }
      case "fetch":
        return await lookForFetched(parts, question.remote, signal);
      case "disk":
        return await lookForDisk(parts, question);
      case "node":
        return await lookForNode(parts, question);
      case "network":
        return (await parts.network.lookFor?.(question, signal)) ?? null;
      case "bridge": {
        const isThere = (await parts.network.hasBridge?.(question.name, signal)) ?? null;
        if (isThere === null || isThere) return isThere && FOUND;
        return await unlessHooked(parts, missing(`there is no bridge ${question.name}`));
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isOdoroboError(error)) return missing(error.message);
    if (question.kind === "bridge" || question.kind === "network" || question.kind === "fetch") return null;
    return missing(describe(question.path, error));
  }
}

/** As `lookFor`, for who only wants to know: null, too, when the file's storage does not answer. */
export async function lookFromFar(
  parts: Parts,
  question: LookQuestion,
  signal: AbortSignal,
): Promise<LookAnswer | null> {
  if (question.kind === "bridge" || question.kind === "network" || question.kind === "fetch")
    return await lookFor(parts, question, signal);
  const shared = parts.looks.look(questionKey(question), () => lookFor(parts, question, parts.stopping));
  return await untilAborted(
    shared.catch(() => null),
    signal,
  );
}

/** A source that does not answer just now is no reason: it may when the image is fetched. */
async function lookForFetched(
  { imageCache }: Parts,
  remote: RemoteImage,
  signal: AbortSignal,
): Promise<LookAnswer | null> {
  try {
    const image = await imageCache.look(remote, signal);
    return {
      found: true,
      ...(image.virtualBytes === null ? {} : { sizeMiB: Math.ceil(image.virtualBytes / MIB) }),
      image,
    };
  } catch (error) {
    signal.throwIfAborted();
    return isOdoroboError(error) && error.code !== "IMAGE_FETCH_FAILED" ? missing(error.message) : null;
  }
}

async function lookForDisk(
  parts: Parts,
  { path, readonly }: Extract<LookQuestion, { readonly kind: "disk" }>,
): Promise<LookAnswer | null> {
  try {
    await access(path, readonly ? constants.R_OK : constants.R_OK | constants.W_OK);
    const stats = await stat(path);
    if (stats.isFile() || stats.isBlockDevice()) return FOUND;
    return missing(`${path} is neither a file nor a block device`);
  } catch (error) {
    return await unlessHooked(parts, missing(describe(path, error)));
  }
}

async function lookForNode(
  parts: Parts,
  { path, socket }: Extract<LookQuestion, { readonly kind: "node" }>,
): Promise<LookAnswer | null> {
  try {
    const stats = await stat(path);
    return !socket || stats.isSocket() ? FOUND : missing(`${path} is no socket`);
  } catch (error) {
    return await unlessHooked(parts, missing(describe(path, error)));
  }
}

const missing = (problem: string): LookAnswer => ({ found: false, problem });

const describe = (path: string, error: unknown): string =>
  isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")
    ? `${path} is not there`
    : `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`;

const unlessHooked = async (parts: Parts, answer: LookAnswer): Promise<LookAnswer | null> =>
  (await hooksMayBringIt(parts)) ? null : answer;

/**
 * For a boot or reboot, before anything is begun: a bridge or a file of the hypervisor's own section that is gone must not power a guest off and
 * leave it down. Other files are asked for in `boot-files.ts` and `guest/check-sources.ts`; sockets may be made anew when the guest lets go of them.
 * Rejects with UNSUPPORTED.
 */
export async function checkHostHas(parts: Parts, name: VmName, spec: VmSpec, runs: boolean): Promise<void> {
  for (const { question, what, path } of bootNeeds(spec)) {
    // A guest that is off loses nothing, and hears the reason from its hypervisor.
    const isNamedInSection =
      runs && path?.startsWith("passthrough.") === true && !(question.kind === "node" && question.socket);
    const isOfNetworks = question.kind === "bridge" || question.kind === "network";
    if (!isOfNetworks && !isNamedInSection) continue;
    const answer = await lookFor(parts, question, parts.stopping);
    if (answer === null || answer.found) continue;
    if (question.kind === "file" && (await hooksMayBringIt(parts))) continue;
    throw new OdoroboError("UNSUPPORTED", `${name} needs ${what}, and ${answer.problem} on this node`, {
      hint:
        question.kind === "bridge"
          ? `make it on the node (ip link add ${question.name} type bridge), or correct the manifest of the Network`
          : question.kind === "network"
            ? "what a node needs for it: docs/networks.md"
            : "put it there, or correct the cloudHypervisor section of its manifest",
    });
  }
}

/** Whether what is missing now may be there after the administrator's hooks: mapped, logged in to, made. */
export const hooksMayBringIt = async (parts: Parts): Promise<boolean> =>
  (await parts.hooks.has?.("before-boot")) === true;
