import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { digestOfText } from "../../src/model/digest.ts";
import { vmName } from "../../src/model/names.ts";
import { findAnswerError, findRequestError, type WireDocument } from "../../src/wire/check-shape.ts";
import { aNodeReport, aPut, aResult, aVmReport, aWireSpec } from "../support/wire-builders.ts";

const put = (over: object) => findRequestError("put-vm-request", { ...aPut(), ...over });
const spec = (over: object) => put({ spec: { ...aWireSpec(), ...over } });

test("what our own types describe is accepted", () => {
  expect(findRequestError("put-vm-request", aPut())).toBeNull();
  expect(findAnswerError("operation-result", aResult(vmName("web-1"), "a"))).toBeNull();
  expect(findAnswerError("node-report", aNodeReport("n1", { vms: [aVmReport("a"), aVmReport("b")] }))).toBeNull();
});

test.each(["vm-spec", "put-vm-request", "operation-request", "operation-result"] satisfies WireDocument[])(
  "the examples in the schema of %s are valid, and so is the schema",
  (document) => {
    const { examples, ...schema } = JSON.parse(readFileSync(`schemas/${document}.schema.json`, "utf8"));
    expect(new Ajv2020().validateSchema(schema)).toBe(true);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(findRequestError(document, example)).toBeNull();
  },
);

test("a request's mistakes are named with their place", () => {
  expect(put({ colour: "red" })).toBe("colour is not a known field");
  expect(put({ generation: "1" })).toBe("generation must be integer");
  expect(spec({ cpus: { count: 0, max: 1 } })).toBe("spec.cpus.count must be >= 1");
  expect(spec({ cpus: { count: 1, max: 1, sockets: 2 } })).toBe("spec.cpus.sockets is not a known field");
  expect(spec({ runStrategy: "Sometimes" })).toContain("spec.runStrategy must be one of Always");
  expect(spec({ boot: { kind: "floppy" } })).toContain("spec.boot");
  expect(findRequestError("operation-request", { id: "a", expect: null, kind: "explode" })).toContain("kind");
  expect(findRequestError("operation-request", { id: "a", expect: null, kind: "shutdown" })).toBe(
    "graceSeconds is missing",
  );
  expect(findRequestError("operation-request", [])).toBe("the document must be object");
});

test("names that become files cannot leave their folder", () => {
  const disk = { name: "../../etc", origin: { kind: "blank", sizeMiB: 1 }, readonly: false };
  expect(spec({ disks: [disk] })).toContain("spec.disks.0.name");
  expect(put({ id: "a b" })).toContain("id ");
});

test("what a schema cannot say is checked too", () => {
  const disk = { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false };
  expect(spec({ cpus: { count: 4, max: 2 } })).toBe("spec.cpus.max must not be below spec.cpus.count");
  expect(spec({ memory: { sizeMiB: 512, maxMiB: 256 } })).toContain("spec.memory.maxMiB");
  expect(spec({ disks: [disk, disk] })).toBe("spec.disks has two named data");
  expect(put({ files: { [digestOfText("a")]: "a" } })).toBeNull();
  expect(put({ files: { [digestOfText("a")]: "b" } })).toContain("is not the sha256 of its text");
});

test("a newer agent may say more, never less", () => {
  const report = aNodeReport("n1", { vms: [aVmReport("web-1")] });
  expect(
    findAnswerError("node-report", { ...report, weather: "fair", vms: [{ ...report.vms[0], mood: "good" }] }),
  ).toBeNull();
  expect(findAnswerError("node-report", { ...report, vms: [{ ...report.vms[0], spec: {} }] })).toBe(
    "vms.0.spec.hypervisor is missing",
  );
  expect(findAnswerError("node-report", { ...report, apiVersion: 2 })).toContain("apiVersion");
});

test("reports of 10,000 VMs on 500 nodes are checked in less time than it takes to parse them twice", () => {
  const reports = Array.from({ length: 500 }, (_, node) =>
    aNodeReport(`n${node}`, { vms: Array.from({ length: 20 }, (_, vm) => aVmReport(`vm-${node}-${vm}`)) }),
  );
  const texts = reports.map((report) => JSON.stringify(report));
  const best = (run: () => void) =>
    Math.min(
      ...[1, 2, 3, 4, 5].map(() => {
        const begun = performance.now();
        run();
        return performance.now() - begun;
      }),
    );
  const parsing = best(() => texts.forEach((text) => void JSON.parse(text)));
  const checking = best(() => {
    for (const report of reports) if (findAnswerError("node-report", report) !== null) throw new Error("refused");
  });
  // About 35 ms on an idle machine, half of what parsing the same takes. Compared with that, because others may be busy beside us.
  expect(checking).toBeLessThan(2 * parsing);
});
