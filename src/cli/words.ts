/** Reads what was typed. */
import { nearest } from '../core/nearest.ts'
import type { Call, Operand, Option, Options } from './command.ts'
import { UsageError } from './errors.ts'
import { printable } from './printable.ts'

/** Options of every command. */
export const commonOptions = {
  url: { value: 'URL', doc: 'where the worker is; else OS_CREDITS_URL, else CREDITS_HOST and CREDITS_PORT' },
  key: { value: 'KEY', doc: 'key of the worker; better API_KEY or API_KEY_FILE, which other users cannot see' },
  json: { doc: 'print what the worker answers as it is, a line for each page' },
  help: { doc: 'explain a command' },
} as const satisfies Options

/**
 * `--name value`, `--name=value` and switches, in any place; after `--` everything is an operand. So is a number below
 * zero: `adjust bio -12.5`.
 *
 * @throws {UsageError} with the nearest option if one is not known.
 */
export function readWords(words: readonly string[], options: Options): Call {
  const operands: string[] = []
  const given = new Map<string, string | true>()
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') operands.push(...rest.splice(0))
    else if (!isOption(word)) operands.push(word)
    else {
      const [name, value] = readOption(word, options, rest)
      if (given.has(name)) throw new UsageError(`--${name} is given twice.`)
      given.set(name, value)
    }
  }
  const text = (name: string) => {
    const value = given.get(name)
    return typeof value === 'string' ? value : undefined
  }
  return { operands, text, has: (name) => given.has(name) }
}

/** The words before the first operand, and the others: common options may stand before the name of the command. */
export function splitAtCommand(words: readonly string[]): { before: string[]; after: string[] } {
  let index = 0
  while (index < words.length && isOption(words[index]!) && words[index] !== '--') {
    const name = words[index]!.replace(/^--/, '')
    const option: Option | undefined = Object.hasOwn(commonOptions, name)
      ? commonOptions[name as keyof typeof commonOptions]
      : undefined
    index += option?.value === undefined ? 1 : 2
  }
  return { before: words.slice(0, index), after: words.slice(index) }
}

function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-' && !/^-[\d.]/.test(word)
}

function readOption(word: string, options: Options, rest: string[]): [string, string | true] {
  const [, typed, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word === '-h' ? '--help' : word) ?? []
  const option = typed !== undefined && Object.hasOwn(options, typed) ? options[typed] : undefined
  if (typed === undefined || option === undefined) throw unknownOption(word, options)
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`--${typed} takes no value.`)
    return [typed, true]
  }
  const text = value ?? rest.shift()
  if (text === undefined || text === '') throw new UsageError(`--${typed} needs ${option.value} after it.`)
  return [typed, text]
}

function unknownOption(word: string, options: Options): UsageError {
  const near = nearest(word.replace(/^-+/, '').split('=')[0]!, Object.keys(options))
  const hint = near === undefined ? '--help tells which there are.' : `Did you mean --${near}?`
  return new UsageError(`There is no option ${printable(word.split('=')[0]!)} here. ${hint}`)
}

/** @throws {UsageError} if there are too few operands or too many, or an option is missing. */
export function checkCall(call: Call, { operands, options }: { operands: readonly Operand[]; options: Options }): void {
  const isOptional = (operand: Operand) => operand.startsWith('[')
  const needed = operands.filter((operand) => !isOptional(operand))
  const missing = needed[call.operands.length]
  if (missing !== undefined) throw new UsageError(`Expected ${missing}.`)
  const isEndless = operands.some((operand) => operand.includes('…'))
  const surplus = call.operands[operands.length]
  if (!isEndless && surplus !== undefined) {
    throw new UsageError(`Expected nothing after ${operands.join(' ') || 'the command'}, got ${printable(surplus)}.`)
  }
  const lacking = Object.entries(options).find(([name, { isRequired }]) => isRequired && !call.has(name))
  if (lacking !== undefined) throw new UsageError(`Expected --${lacking[0]} ${lacking[1].value}: ${lacking[1].doc}.`)
}

/** A whole number from 1 on. @throws {UsageError} */
export function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new UsageError(`${name}: expected a whole number from 1 on, got ${JSON.stringify(printable(text))}.`)
}
