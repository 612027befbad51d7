/** A command is data and what it does: its help, and what may be typed, are made from the data. */
import type { Client } from './client.ts'
import type { Terminal } from './terminal.ts'

export interface Option {
  /** Names the value in the help; an option without one is a switch. */
  readonly value?: string
  readonly doc: string
  readonly isRequired?: true
}

export type Options = Readonly<Record<string, Option>>

/** What has to be typed after the name, such as `GROUP`; in brackets if it may be left out, with `…` if it may be repeated. */
export type Operand = string

export interface Command {
  /** One word, or two: `reprice apply`. */
  readonly name: string
  readonly operands: readonly Operand[]
  readonly options: Options
  /** A line for the list of commands. */
  readonly summary: string
  /** What else one has to know. */
  readonly about?: string
  /** How it is called, each with the words after `os-credits`. */
  readonly examples: readonly string[]
  /** Another program reads what is typed after the name, so nothing of it is looked at. */
  readonly isPassedOn?: true
  /** @returns The exit code, if it is not 0. */
  run(call: Call, context: Context): Promise<number | undefined>
}

/** What was typed. */
export interface Call {
  readonly operands: readonly string[]
  /** The value of an option, if it was given. */
  text(name: string): string | undefined
  has(name: string): boolean
}

export interface Context {
  readonly client: Client
  readonly terminal: Terminal
  /** Whether the answers of the worker are wanted as they are. */
  readonly wantsJson: boolean
  /** Runs a program of this repository in the place of the command. @returns Its exit code. */
  runProgram(path: string, words: readonly string[]): Promise<number>
}
