/** What `--help` says, made from the commands. */
import type { Command, Options } from './command.ts'
import { facts } from './table.ts'
import { commonOptions } from './words.ts'

const PROGRAM = 'os-credits'

/** All commands, a line each. @param usual The address that is asked without --url; `undefined` if there is none. */
export function describeAll(commands: readonly Command[], usual: URL | undefined): string {
  return `Looks at a running credits worker, and decides for it what people have to decide.

  ${PROGRAM} COMMAND [options]

${facts(
  commands.map((command) => [synopsis(command), command.summary]),
  '  ',
)}
Options of every command:

${describeOptions(commonOptions)}
${usual === undefined ? 'Without --url no worker is found here' : `Without --url the worker at ${usual.href.replace(/\/$/, '')} is asked`}.
Without a key a worker answers only on its own machine. The key is in no output.

Exit codes: 0 done; 1 the worker says no, or you did; 64 typed wrongly; 69 the worker cannot be reached; 77 the key is
refused. Programs of their own, such as "verify" and "backup", have their own.

${PROGRAM} COMMAND --help explains a command with examples.
`
}

export function describeCommand(command: Command): string {
  const { summary, about, options, examples } = command
  const own = Object.keys(options).length === 0 ? '' : `\n${describeOptions(options)}`
  const common = command.isPassedOn ? '' : `\nOptions of every command:\n\n${describeOptions(commonOptions)}`
  return `${sentence(summary)}

  ${PROGRAM} ${synopsis(command)}${own === '' ? '' : ' [options]'}
${about === undefined ? '' : `\n${about}\n`}${own}
For example:

${examples.map((example) => `  ${PROGRAM} ${example}\n`).join('')}${common}`
}

function synopsis({ name, operands }: Command): string {
  return [name, ...operands].join(' ')
}

function describeOptions(options: Options): string {
  const lines = Object.entries(options).map(([name, { value, doc, isRequired }]): [string, string] => [
    `--${name}${value === undefined ? '' : ` ${value}`}`,
    `${doc}${isRequired ? ' (needed)' : ''}`,
  ])
  return facts(lines, '  ')
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`
}
