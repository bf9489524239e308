import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { renderError, toErrorDocument } from "../../src/report/error-text.ts";

const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:8890"), { code: "ECONNREFUSED" });
const error = new OdoroboError("AGENT_UNREACHABLE", "the agent of n1 cannot be reached", {
  cause: new TypeError("fetch failed", { cause: refused }),
  hint: "is it running? odorobo agent",
});

test("an error says what, why and what to do next, and shows no stack", () => {
  expect(renderError(error, { colour: false })).toBe(
    [
      "error  AGENT_UNREACHABLE  the agent of n1 cannot be reached",
      "Caused by:",
      "  fetch failed",
      "  connect ECONNREFUSED 127.0.0.1:8890",
      "hint: is it running? odorobo agent",
    ].join("\n"),
  );
});

test("as JSON it is the same", () => {
  expect(toErrorDocument(error)).toEqual({
    error: {
      code: "AGENT_UNREACHABLE",
      message: "the agent of n1 cannot be reached",
      hint: "is it running? odorobo agent",
      causes: ["fetch failed", "connect ECONNREFUSED 127.0.0.1:8890"],
    },
  });
});

test("a cause that goes in a circle ends, and empty errors of several addresses are named by code", () => {
  const circle = new Error("a");
  circle.cause = new Error("b", { cause: circle });
  expect(toErrorDocument(new OdoroboError("INTERNAL", "x", { cause: circle })).error.causes.length).toBeLessThan(10);
  const several = new AggregateError([Object.assign(new Error(""), { code: "ECONNREFUSED" }), refused], "");
  expect(toErrorDocument(new OdoroboError("INTERNAL", "x", { cause: several })).error.causes).toEqual([
    "ECONNREFUSED; connect ECONNREFUSED 127.0.0.1:8890",
  ]);
});

test("without a hint and a cause it is one line", () => {
  const bare = new OdoroboError("INTERNAL", "x");
  expect(renderError(bare, { colour: false })).toBe("error  INTERNAL  x");
  expect(toErrorDocument(bare)).toEqual({ error: { code: "INTERNAL", message: "x", causes: [] } });
});
