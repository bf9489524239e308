/** Whether what a guest boots from is on this node, asked before anything is begun. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";

/** Rejects with IMAGE_MISSING. `made`: disks that are there already, and stand on what they were made over. Names that are no paths (`builtin:tiny`, a firmware's name) are the hypervisor's to find. */
export async function checkBootFiles(name: VmName, spec: VmSpec, made: ReadonlySet<string>): Promise<void> {
  for (const { what, path } of filesOf(spec, made)) {
    if (!isAbsolute(path)) continue;
    try {
      await access(path, constants.R_OK);
    } catch (error) {
      throw new OdoroboError("IMAGE_MISSING", `${name} needs ${what}, and ${path} cannot be read on this node`, {
        cause: error,
        hint: `put the file at ${path} on this node, or correct the path in the manifests`,
      });
    }
  }
}

function* filesOf(spec: VmSpec, made: ReadonlySet<string>): Iterable<{ readonly what: string; readonly path: string }> {
  if (spec.boot.kind === "firmware") yield { what: "its firmware", path: spec.boot.firmware };
  else {
    yield { what: "its kernel", path: spec.boot.kernel };
    if (spec.boot.initramfs !== null) yield { what: "its initramfs", path: spec.boot.initramfs };
  }
  for (const { name, origin } of spec.disks)
    if (origin.kind === "image" && !made.has(name))
      yield { what: `image ${origin.image} for disk ${name}`, path: origin.path };
}
