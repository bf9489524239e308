/** Windows as they are written, wherever they are, with what was left out. */
import type { SourcePosition } from "../../model/desired-state.ts";
import type { WindowManifest } from "../../model/documents.ts";
import { nearest } from "../../model/nearest.ts";
import { WEEKDAYS, type Window } from "../../model/windows/window.ts";
import { isTimeZone } from "../../model/windows/zoned-time.ts";
import type { Segments } from "../text/places.ts";
import { diagnose, type ReportField, type SourceDocument } from "../text/source-document.ts";
import { positionOf } from "./where-is.ts";

interface WindowsContext {
  /** Where the list stands. */
  readonly at: Segments;
  readonly report: ReportField;
  readonly whereIs: (at: Segments) => SourcePosition | null;
}

/** A zone that does not exist is reported, and its window left out. */
export function buildWindows(
  written: readonly WindowManifest[] | null | undefined,
  { at, report, whereIs }: WindowsContext,
): Window[] {
  return (written ?? []).flatMap(({ days, from, until, timezone }, index): Window[] => {
    const zone = timezone ?? "UTC";
    if (!isTimeZone(zone)) {
      const near = nearest(zone, Intl.supportedValuesOf("timeZone"));
      report([...at, index, "timezone"], {
        code: "bad-value",
        // A text that is near no zone may be anything, also a secret in the wrong place.
        message: near === null ? "there is no such time zone" : `there is no time zone ${zone}`,
        hint: near === null ? "such as Europe/Berlin" : `${near}?`,
      });
      return [];
    }
    const on = WEEKDAYS.filter((day) => days?.includes(day) ?? true);
    return [{ days: on, from, until, timezone: zone, source: whereIs([...at, index]) }];
  });
}

/** Those of a document that is no VM. */
export const windowsOf = (
  document: SourceDocument,
  written: readonly WindowManifest[] | null | undefined,
  at: Segments,
  report: (found: ReturnType<typeof diagnose>) => void,
): Window[] =>
  buildWindows(written, {
    at,
    report: (where, finding) => report(diagnose(document, where, finding)),
    whereIs: (where) => positionOf({ document, at: where }),
  });
