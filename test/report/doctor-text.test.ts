import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import { renderDoctorReport } from "../../src/report/doctor-text.ts";

test("what is wrong stands with what to do about it, and is counted, the worst first", () => {
  const text = renderDoctorReport(
    {
      kind: "DoctorReport",
      version: 1,
      at: instant("2026-01-01T12:00:00.000Z"),
      node: "n1",
      findings: [
        { check: "kvm", level: "fail", message: "there is no /dev/kvm", hint: "modprobe kvm_intel" },
        { check: "clock", level: "unknown", message: "nobody says", hint: null },
        { check: "disk.space", level: "ok", message: "plenty\u001b[2J", hint: null },
      ],
    },
    { colour: false },
  );
  expect(text).toMatchInlineSnapshot(`
    "fail     kvm         there is no /dev/kvm
                         hint: modprobe kvm_intel
    unknown  clock       nobody says
    ok       disk.space  plenty\\x1b[2J

    n1: 1 fail, 1 unknown, 1 ok"
  `);
});
