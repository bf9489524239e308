/** What a person at a watch may have to type next, with the flags by which it finds the same agents and runs. */
import { type AgentFlags, listAgentFlags } from "../flags.ts";
import { quote } from "../next-command.ts";

export interface WatchFlags extends AgentFlags {
  readonly agent?: string | undefined;
  readonly auto?: string | undefined;
  readonly data?: string | undefined;
  readonly run?: string | undefined;
  readonly state?: string | undefined;
  readonly poll?: boolean | undefined;
  readonly listen?: string | undefined;
  readonly "page-token-file"?: string | undefined;
}

export interface NextCommands {
  /** This watch again, with `--auto` of that class or as it was. */
  watch(auto?: string): string;
  /** Null: its agent is not the one that the manifests name, and no other command is told of it. */
  apply: string | null;
  attach(run: string): string;
  /** Null as `apply` is: it would ask the agent that the manifests name. */
  resume(run: string): string | null;
  approve(run: string): string;
}

export function nextCommands(folder: string, flags: WatchFlags): NextCommands {
  const where = folder === "." ? [] : [folder];
  const access = listAgentFlags(flags);
  const state = listed("--state", flags.state);
  const isByManifests = flags.agent === undefined;
  const own = [
    ...listed("--agent", flags.agent),
    ...listed("--data", flags.data),
    ...listed("--run", flags.run),
    ...listed("--listen", flags.listen),
    ...listed("--page-token-file", flags["page-token-file"]),
    ...(flags.poll === true ? ["--poll"] : []),
  ];
  return {
    watch: (auto = flags.auto) => line("watch", ...where, ...own, ...state, ...access, ...listed("--auto", auto)),
    apply: isByManifests ? line("apply", ...where, ...state, ...access) : null,
    attach: (run) => line("runs", "attach", run, ...state),
    resume: (run) => (isByManifests ? line("runs", "resume", run, ...state, ...access) : null),
    approve: (run) => line("runs", "approve", run, ...state),
  };
}

const listed = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, value]);
const line = (...words: readonly string[]): string => ["odorobo", ...words.map(quote)].join(" ");
