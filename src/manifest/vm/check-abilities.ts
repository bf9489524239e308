/**
 * What no node could do, told where it is written: names that a hypervisor does not know, arguments that its driver refuses, a probe that
 * could never succeed, a VM that is more than an agent takes in. What depends on the node is the plan's to tell (`reconcile/check-support.ts`).
 */
import { FIRMWARE_NAMES, knowsFirmware } from "../../model/boot/firmware.ts";
import type { Digest } from "../../model/names.ts";
import { checkQemuSection } from "../../model/qemu/check-args.ts";
import { bytesAsJson, MAX_VM_BYTES } from "../../model/request-limit.ts";
import { probeAddress, type VmSpec } from "../../model/vm-spec.ts";
import { isOwnWord } from "../text/harmless.ts";
import type { ReportField } from "../text/source-document.ts";
import { suggest } from "../text/suggest.ts";
import type { UserTexts } from "./user-texts.ts";

export function checkAbilities(spec: VmSpec, report: ReportField): void {
  checkFirmware(spec, report);
  checkProbe(spec, report);
  if (spec.hypervisor !== "qemu") return;
  for (const { path, message, hint } of checkQemuSection(spec.passthrough).slice(0, PROBLEMS_AT_MOST)) {
    // A field's name may be a text that slipped there; arguments are quoted only when they are known ones.
    const isShown = ENTRY.test(String(path[0])) || isOwnWord(String(path[0]));
    report(["qemu", ...path], {
      code: "bad-value",
      message: isShown ? message : "the qemu section has no such field",
      hint,
    });
  }
}

/** As firmware is called: a name, and not a text. */
const NAME = /^(?!.*[A-Z])[\w./-]{1,40}$/;
const ENTRY = /^[a-z]{1,8}$/;

/** Of one VM: with so many, the rest follows from the first. */
const PROBLEMS_AT_MOST = 50;

function checkFirmware({ hypervisor, boot }: VmSpec, report: ReportField): void {
  if (boot.kind !== "firmware" || knowsFirmware(hypervisor, boot.firmware)) return;
  report(["boot", "firmware"], {
    code: "bad-value",
    message: NAME.test(boot.firmware)
      ? `${hypervisor} has no firmware called ${boot.firmware}`
      : `${hypervisor} has no firmware of this name`,
    hint: suggest(boot.firmware, FIRMWARE_NAMES[hypervisor] ?? [], "or the absolute path of an image on the node"),
  });
}

/** Guests of stand-ins have no network, and count as ready. */
function checkProbe(spec: VmSpec, report: ReportField): void {
  if (spec.hypervisor === "noop" || spec.ready?.kind !== "tcp" || probeAddress(spec) !== null) return;
  report(["ready", "tcp"], {
    code: "conflicting-fields",
    message: "ready.tcp needs an address to connect to, and no NIC on a bridge has one",
    hint: "give a bridged NIC an address, or wait for a text on the serial line: ready.serial",
  });
}

/** VMs share texts: each is measured once. */
export class SizeCheck {
  readonly #texts: UserTexts;
  readonly #bytes = new Map<Digest, number>();

  constructor(texts: UserTexts) {
    this.#texts = texts;
  }

  /** `written`: characters of the manifests that the VM was made from; a spec is about as long. */
  check(spec: VmSpec, written: number, report: ReportField): void {
    const userData = this.#bytesOf(spec.cloudInit?.userData);
    const networkConfig = this.#bytesOf(spec.cloudInit?.networkConfig);
    const others = this.#bytesOf(spec.cloudInit?.vendorData) + this.#bytesOf(spec.cloudInit?.metaData);
    const texts = userData + networkConfig + others;
    if (texts + 6 * written < MAX_VM_BYTES) return;
    const bytes = texts + bytesAsJson(spec);
    if (bytes <= MAX_VM_BYTES) return;
    const kib = (size: number) => `${Math.ceil(size / 1024)} KiB`;
    const largest =
      userData >= networkConfig ? (["userData", userData] as const) : (["networkConfig", networkConfig] as const);
    const isText = largest[1] > bytes / 2;
    report(isText ? ["cloudInit", largest[0]] : [], {
      code: "bad-value",
      message: `this VM is ${kib(bytes)} as it is sent, and an agent takes ${kib(MAX_VM_BYTES)}${isText ? `: its ${largest[0]} alone is ${kib(largest[1])}` : ""}`,
      hint: isText
        ? "let the guest download the larger part, with #include and a URL"
        : "shorten its annotations and its sections",
    });
  }

  #bytesOf(digest: Digest | null | undefined): number {
    if (digest === null || digest === undefined) return 0;
    const known = this.#bytes.get(digest);
    if (known !== undefined) return known;
    const bytes = bytesAsJson(this.#texts.text(digest) ?? "");
    this.#bytes.set(digest, bytes);
    return bytes;
  }
}
