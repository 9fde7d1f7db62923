// `lookahead completion`: completion scripts for shells.

import type { Command } from 'commander'
import { choice } from './arguments.js'
import { processTerminal } from './terminal.js'

/** Adds `lookahead completion`. */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('completions for a shell')
    .description(
      'Prints completions for a shell.\nbash: eval "$(lookahead completion bash)"\nzsh:  eval "$(lookahead completion zsh)"\nfish: lookahead completion fish | source',
    )
    .argument('<shell>', 'bash, zsh or fish', choice('bash', 'zsh', 'fish'))
    .action((shell: 'bash' | 'zsh' | 'fish') => processTerminal().out(`${scripts[shell](program)}\n`))
}

const scripts = {
  bash(program: Command): string {
    const cases = program.commands.map((command) => `    ${command.name()}) words="${optionsOf(command).join(' ')}" ;;`)
    return [
      '_lookahead() {',
      '  local words',
      `  case "\${COMP_WORDS[1]}" in`,
      ...cases,
      '    *) words="" ;;',
      '  esac',
      `  [ "$COMP_CWORD" = 1 ] && words="${program.commands.map((command) => command.name()).join(' ')} --help --version"`,
      `  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))`,
      '}',
      'complete -o bashdefault -o default -F _lookahead lookahead',
    ].join('\n')
  },
  zsh(program: Command): string {
    return `autoload -U +X bashcompinit && bashcompinit\n${scripts.bash(program)}`
  },
  fish(program: Command): string {
    const lines = program.commands.flatMap((command) => [
      `complete -c lookahead -n __fish_use_subcommand -a ${command.name()} -d '${quote(command.summary())}'`,
      ...command.options.map(({ short, long, description }) => {
        const names = `${short ? ` -s ${short.slice(1)}` : ''}${long ? ` -l ${long.slice(2)}` : ''}`
        return `complete -c lookahead -n '__fish_seen_subcommand_from ${command.name()}'${names} -d '${quote(description)}'`
      }),
    ])
    return lines.join('\n')
  },
}

function optionsOf(command: Command): string[] {
  return [...command.options.flatMap(({ short, long }) => [long ?? '', short ?? '']), '--help'].filter(
    (name) => name !== '',
  )
}

function quote(text: string): string {
  return text.replace(/'/g, "\\'")
}
