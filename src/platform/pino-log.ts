/** The log of a long-running process: JSON lines for machines, one readable line each for a person at a terminal. On stderr: stdout is for answers. */
import { pino, stdSerializers } from "pino";
import { OdoroboError } from "../model/errors.ts";
import type { Logger } from "./logger.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto`: text where a person looks on, JSON elsewhere. */
export const LOG_FORMATS = ["auto", "text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** As flags give them. Throws USAGE. */
export function parseLogSettings(level: string, format: string): LogSettings {
  const knownLevel = LOG_LEVELS.find((each) => each === level);
  const knownFormat = LOG_FORMATS.find((each) => each === format);
  if (knownLevel === undefined) throw new OdoroboError("USAGE", `--log-level is one of ${LOG_LEVELS.join(", ")}`);
  if (knownFormat === undefined) throw new OdoroboError("USAGE", `--log-format is one of ${LOG_FORMATS.join(", ")}`);
  return { level: knownLevel, format: knownFormat };
}

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function openLog({ level, format }: LogSettings, output: Output = process.stderr): Logger {
  const asText = format === "text" || (format === "auto" && output.isTTY === true);
  const write = asText ? (line: string) => output.write(toText(line)) : (line: string) => output.write(line);
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      // What must never be in a log, should a request or its headers get there.
      redact: {
        paths: ["authorization", "*.authorization", "headers", "*.headers", "files", "*.files"],
        censor: "[left out]",
      },
    },
    { write },
  );
}

function toText(line: string): string {
  const { time, level, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(
    ([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const stack = (err as { stack?: string } | undefined)?.stack;
  const error = stack === undefined ? "" : `\n${stack.replace(/^/gm, "    ")}`;
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${msg}${fields.join("")}${error}\n`;
}
