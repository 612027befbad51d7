/** What happened in a simulation, line by line, and how often each kind of fault was done to the worker. */
import { createHash } from 'node:crypto'

/** Lines that are kept to be shown; all of them count for the fingerprint. */
const KEPT = 60

export class Story {
  readonly counts = new Map<string, number>()
  #lines: string[] = []
  #hash = createHash('sha256')
  readonly #now: () => number
  readonly #folder: string
  readonly #print: boolean

  /** @param folder Where this run keeps its files: its name is another one each time. */
  constructor(now: () => number, folder: string, print = false) {
    this.#now = now
    this.#folder = folder
    this.#print = print
  }

  tell(line: string): void {
    const text = `${new Date(this.#now()).toISOString().slice(5, 23)} ${line.replaceAll(this.#folder, '').replace(otherRun, '')}`
    this.#hash.update(`${text}\n`)
    this.#lines.push(text)
    if (this.#lines.length > 2 * KEPT) this.#lines.splice(0, KEPT)
    if (this.#print) process.stdout.write(`${text}\n`)
  }

  /** A fault, counted by its kind. */
  fault(kind: string, line = ''): void {
    this.count(kind)
    this.tell(`✗ ${kind}${line === '' ? '' : `: ${line}`}`)
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + by)
  }

  get end(): readonly string[] {
    return this.#lines.slice(-40)
  }

  /** The same for the same story, byte for byte. */
  fingerprint(): string {
    return this.#hash.copy().digest('hex')
  }
}

/** The process that runs the simulation, and its start. */
const otherRun = / \(process \d+, since [^)]*\)/

/** Something that must never be is so. */
export interface Violation {
  readonly invariant: string
  readonly detail: string
}

/** Remembers the first violation; the rest follows from it. */
export class Verdict {
  first: Violation | undefined

  fail(invariant: string, detail: string): void {
    this.first ??= { invariant, detail }
  }

  check(isSo: boolean, invariant: string, detail: () => string): void {
    if (!isSo) this.fail(invariant, detail())
  }
}
