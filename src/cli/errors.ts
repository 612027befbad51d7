/** What ends a command: a sentence for whoever typed it, and the exit code that scripts go by. */

/** As in sysexits.h, so that a script can tell what to do about it. */
export const EXIT = {
  /** The worker says no, or whoever was asked did. */
  refused: 1,
  usage: 64,
  unreachable: 69,
  key: 77,
} as const

export class CliError extends Error {
  override readonly name: string = 'CliError'
  readonly exitCode: number
  /** What the worker answered, as it was sent; for `--json`. */
  readonly answer: string | undefined

  constructor(exitCode: number, message: string, answer?: string) {
    super(message)
    this.exitCode = exitCode
    this.answer = answer
  }
}

/** Typed wrongly: nothing was asked of the worker. */
export class UsageError extends CliError {
  override readonly name = 'UsageError'
  constructor(message: string) {
    super(EXIT.usage, message)
  }
}

/** The worker understood, and says no. */
export class RefusedError extends CliError {
  override readonly name = 'RefusedError'
  constructor(message: string, answer?: string) {
    super(EXIT.refused, message, answer)
  }
}

/** Nobody answers, or somebody who is no credits worker. */
export class UnreachableError extends CliError {
  override readonly name = 'UnreachableError'
  constructor(message: string) {
    super(EXIT.unreachable, message)
  }
}

/** A key is missing, wrong or not enough. */
export class KeyError extends CliError {
  override readonly name = 'KeyError'
  constructor(message: string, answer?: string) {
    super(EXIT.key, message, answer)
  }
}
