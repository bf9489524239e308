/** A VM whose layers are merged and whose references are resolved, before it is looked at beside the others. */
import type { Placement } from "../../model/desired-state.ts";
import type { Digest, VmName } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { Window } from "../../model/windows/window.ts";
import type { Segments } from "../text/places.ts";
import type { Finding } from "../text/source-document.ts";
import type { WrittenLayer } from "./where-is.ts";

export interface BuiltVm {
  readonly name: VmName;
  readonly layers: readonly WrittenLayer[];
  readonly spec: VmSpec;
  readonly placement: Placement;
  readonly windows: readonly Window[];
  readonly ignore: readonly string[];
  /** NICs for which nobody wrote a MAC address. */
  readonly derivedMacs: readonly string[];
  /** Of what spec and placement were made from; null: something was reported about them. */
  readonly key: Digest | null;
}

export type ReportAbout = (vm: BuiltVm, at: Segments, finding: Finding) => void;
