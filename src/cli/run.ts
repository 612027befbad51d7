/** Finds the command that was typed, runs it, and turns what goes wrong into a sentence and an exit code. */
import { nearest } from '../core/nearest.ts'
import { type AccessSources, accessOf, usualUrl } from './access.ts'
import { createClient } from './client.ts'
import type { Call, Command, Context } from './command.ts'
import { commands } from './commands/all.ts'
import { CliError, UsageError } from './errors.ts'
import { describeAll, describeCommand } from './help.ts'
import { writeJson } from './output.ts'
import { printable } from './printable.ts'
import { styled, type Terminal } from './terminal.ts'
import { checkCall, commonOptions, readWords, splitAtCommand } from './words.ts'

export interface Surroundings extends AccessSources {
  readonly terminal: Terminal
  readonly version: string
  readonly runProgram: Context['runProgram']
}

/**
 * @param words What was typed after the name of the program.
 * @returns The exit code.
 */
export async function runCli(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { terminal } = surroundings
  try {
    return (await dispatch(words, surroundings)) ?? 0
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    if (error.answer !== undefined && words.includes('--json')) writeJson(error.answer, terminal)
    terminal.err(`${styled(error.message, 'red', terminal)}\n`)
    return error.exitCode
  }
}

async function dispatch(words: readonly string[], surroundings: Surroundings): Promise<number | undefined> {
  const { out } = surroundings.terminal
  const { before, after } = splitAtCommand(words)
  if (before.includes('--version')) return void out(`${surroundings.version}\n`)
  readWords(before, commonOptions)
  const [first] = after
  if (first === undefined || first === 'help') {
    const wanted = first === undefined || after.length === 1 ? undefined : find(after.slice(1)).command
    return void out(wanted === undefined ? describeAll(commands, usualUrl(surroundings)) : describeCommand(wanted))
  }
  const { command, rest } = find(after)
  return command.isPassedOn ? passOn(command, rest, surroundings) : call(command, [...before, ...rest], surroundings)
}

async function call(command: Command, words: readonly string[], surroundings: Surroundings) {
  const { terminal, runProgram } = surroundings
  const options = { ...commonOptions, ...command.options }
  const typed = readWords(words, options)
  if (typed.has('help')) return void terminal.out(describeCommand(command))
  try {
    checkCall(typed, { operands: command.operands, options })
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`${error.message} See os-credits ${command.name} --help`)
  }
  const client = createClient(accessOf(accessTyped(typed), surroundings))
  return command.run(typed, { client, terminal, wantsJson: typed.has('json'), runProgram })
}

function accessTyped(typed: Call): { url?: string; key?: string } {
  const [url, key] = [typed.text('url'), typed.text('key')]
  return { ...(url !== undefined && { url }), ...(key !== undefined && { key }) }
}

/** Such a command talks to no worker. */
async function passOn(command: Command, words: readonly string[], surroundings: Surroundings) {
  const { terminal, runProgram } = surroundings
  const typed: Call = { operands: words, text: () => undefined, has: () => false }
  const client = createClient(accessOf({}, { env: {}, readFile: surroundings.readFile }))
  return command.run(typed, { client, terminal, wantsJson: false, runProgram })
}

/** The command that the first word names, or the first two. @throws {UsageError} with the nearest name. */
function find(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first, second = ''] = words as [string, string?]
  const isWord = second !== '' && !second.startsWith('-')
  const two = commands.find(({ name }) => name === `${first} ${second}`)
  if (two !== undefined) return { command: two, rest: words.slice(2) }
  const one = commands.find(({ name }) => name === first)
  // `reprice` is a command, and `reprice aply` is none.
  const isPart = isWord && commands.some(({ name }) => name.startsWith(`${first} `))
  if (one !== undefined && !isPart) return { command: one, rest: words.slice(1) }
  const names = commands.map(({ name }) => name)
  const near = (isWord ? nearest(`${first} ${second}`, names) : undefined) ?? nearest(first, names)
  const hint = near === undefined ? 'os-credits help lists all.' : `Did you mean "${near}"?`
  throw new UsageError(`There is no command "${printable(isPart ? `${first} ${second}` : first)}". ${hint}`)
}
