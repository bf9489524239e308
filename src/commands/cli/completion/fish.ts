/** Completion for fish, which shows what each word means beside it. */
import type { CompletionCommand, CompletionFlag } from "./vocabulary.ts";

export function fishCompletion(commands: readonly CompletionCommand[]): string {
  const topics = [
    ...new Set(commands.filter(({ words }) => words.includes(" ")).map(({ words }) => words.split(" ")[0] ?? "")),
  ];
  const lines = commands.flatMap((command) => [
    wordLine(command, topics),
    ...command.flags.map((flag) => flagLine(command, flag)),
    ...vmLine(command),
  ]);
  return `# odorobo completion fish: put it into ~/.config/fish/completions/odorobo.fish
function __odorobo_words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or echo $word
    end
end
function __odorobo_at
    set -l words (__odorobo_words)
    test "$words" = "$argv[1]"; or string match -q -- "$argv[1] *" "$words"
end
function __odorobo_next
    set -l words (__odorobo_words)
    test "$words" = "$argv[1]"
end
${topics.map((topic) => `complete -c odorobo -f -n '__odorobo_next ""' -a ${quote(topic)}`).join("\n")}
${lines.join("\n")}
`;
}

function wordLine({ words, summary }: CompletionCommand, topics: readonly string[]): string {
  const topic = topics.find((each) => words.startsWith(`${each} `));
  const [before, word] = topic === undefined ? ["", words] : [topic, words.slice(topic.length + 1)];
  return `complete -c odorobo -f -n ${quote(`__odorobo_next "${before}"`)} -a ${quote(word)} -d ${quote(summary)}`;
}

function flagLine({ words }: CompletionCommand, { name, char, summary, value }: CompletionFlag): string {
  const parts = [`complete -c odorobo -n ${quote(`__odorobo_at "${words}"`)}`, `-l ${name}`];
  if (char !== null) parts.push(`-s ${char}`);
  if (value?.kind === "path") parts.push("-r -F");
  if (value?.kind === "vm") parts.push("-x -a '(odorobo completion vms 2>/dev/null)'");
  if (value?.kind === "text") parts.push("-x");
  if (value?.kind === "words") parts.push(`-x -a ${quote(value.words.join(" "))}`);
  return [...parts, `-d ${quote(summary)}`].join(" ");
}

const vmLine = ({ words, takesVm }: CompletionCommand): string[] =>
  takesVm
    ? [`complete -c odorobo -f -n ${quote(`__odorobo_next "${words}"`)} -a '(odorobo completion vms 2>/dev/null)'`]
    : [];

const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
