/**
 * Completion for bash, and for zsh by way of its bashcompinit. The names of VMs are asked of `odorobo completion vms`, which reads the manifests
 * and asks no agent.
 */
import type { CompletionCommand, CompletionFlag } from "./vocabulary.ts";

export function bashCompletion(commands: readonly CompletionCommand[]): string {
  return `# odorobo completion bash: source it, or put it into /etc/bash_completion.d/odorobo
_odorobo_flags() {
  case "$1" in
${commands.map((command) => `    ${quote(command.words)}) echo ${quote(flagWords(command.flags).join(" "))} ;;`).join("\n")}
  esac
}
_odorobo_value() {
  case "$1 $2" in
${valueCases(commands).join("\n")}
    *) return 1 ;;
  esac
}
_odorobo_takes_vm() {
  case "$1" in
    ${
      commands
        .filter(({ takesVm }) => takesVm)
        .map(({ words }) => quote(words))
        .join("|") || "''"
    }) return 0 ;;
  esac
  return 1
}
_odorobo_vms() {
  odorobo completion vms \${1:+--fleet "$1"} 2>/dev/null
}
_odorobo() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command="" fleet="" word values i given=0
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ \${COMP_WORDS[i-1]} == --fleet ]]; then fleet=$word; continue; fi
    [[ $word == -* ]] && continue
    if _odorobo_flags "\${command:+$command }$word" | grep -q .; then command="\${command:+$command }$word"
    elif [[ " ${topics(commands).join(" ")} " == *" $word "* && -z $command ]]; then command=$word
    else given=1; fi
  done
  if values=$(_odorobo_value "$command" "$prev"); then
    case $values in
      :path) COMPREPLY=($(compgen -f -- "$cur")) ;;
      :vm) COMPREPLY=($(compgen -W "$(_odorobo_vms "$fleet")" -- "$cur")) ;;
      :text) ;;
      *) COMPREPLY=($(compgen -W "$values" -- "$cur")) ;;
    esac
    return
  fi
  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$(_odorobo_flags "$command")" -- "$cur")); return; fi
  if ((given == 0)); then
    case "$command" in
      "") COMPREPLY=($(compgen -W ${quote(firstWords(commands).join(" "))} -- "$cur")) ;;
${topics(commands)
  .map(
    (topic) =>
      `      ${quote(topic)}) COMPREPLY=($(compgen -W ${quote(secondWords(commands, topic).join(" "))} -- "$cur")) ;;`,
  )
  .join("\n")}
    esac
    if _odorobo_takes_vm "$command"; then
      COMPREPLY=($(compgen -W "$(_odorobo_vms "$fleet")" -- "$cur")); return
    fi
  fi
  ((\${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _odorobo odorobo
`;
}

export const zshCompletion = (commands: readonly CompletionCommand[]): string =>
  `# odorobo completion zsh: source it in ~/.zshrc
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bashCompletion(commands)}`;

const flagWords = (flags: readonly CompletionFlag[]): string[] =>
  flags.flatMap(({ name, char }) => [`--${name}`, ...(char === null ? [] : [`-${char}`])]);

function valueCases(commands: readonly CompletionCommand[]): string[] {
  return commands.flatMap(({ words, flags }) =>
    flags.flatMap((flag) => {
      const { value } = flag;
      if (value === null) return [];
      const says = value.kind === "words" ? value.words.join(" ") : `:${value.kind}`;
      return [
        `    ${flagWords([flag])
          .map((each) => quote(`${words} ${each}`))
          .join("|")}) echo ${quote(says)} ;;`,
      ];
    }),
  );
}

/** Words that begin commands of two words. */
const topics = (commands: readonly CompletionCommand[]): string[] => [
  ...new Set(commands.filter(({ words }) => words.includes(" ")).map(({ words }) => words.split(" ")[0] ?? "")),
];

const firstWords = (commands: readonly CompletionCommand[]): string[] => [
  ...new Set(commands.map(({ words }) => words.split(" ")[0] ?? "")),
];

const secondWords = (commands: readonly CompletionCommand[], topic: string): string[] =>
  commands.flatMap(({ words }) => (words.startsWith(`${topic} `) ? [words.slice(topic.length + 1)] : []));

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
