/**
 * Reads files that people write, YAML or JSON, so that every problem is found at once and tells its place.
 *
 * All scalars stay the texts they are in the file: `0.1` never becomes a double and `2026-01-01` never a local date.
 * JSON is read as the YAML it also is, so a key that occurs twice is a problem and not a silent choice of the last.
 */
import { parseDocument, YAMLError } from 'yaml'
import { nearest } from '../core/nearest.ts'
import { type Parser, quoteHidingLogin, Unexpected } from './parsers.ts'

/** What a file holds; nothing is an empty text. */
type Tree = string | readonly Tree[] | { readonly [key: string]: Tree }

/** Takes one problem: the path of its place, and `expected …, got …`. */
export type Report = (problem: string) => void

/** A place in a file: what stands there, and how to say what is wrong with it. */
export class Place {
  /** Such as `meters[1].prices[0].from`; empty for the whole file. */
  readonly path: string
  readonly #tree: Tree
  readonly #report: Report

  constructor(tree: Tree, path: string, report: Report) {
    this.#tree = tree
    this.path = path
    this.#report = report
  }

  /** Whether anything stands here. */
  get isGiven(): boolean {
    return this.#tree !== ''
  }

  problem(expected: string, got = describe(this.#tree)): void {
    this.#report(`${this.path === '' ? '' : `${this.path}: `}expected ${expected}, got ${got}`)
  }

  /** The places of a list. Anything else is a problem, as is an empty list. */
  items(): Place[] {
    const tree = this.#tree
    if (isList(tree) && tree.length > 0) return tree.map((item, index) => this.#inside(item, `${this.path}[${index}]`))
    this.problem('a list with at least one entry', this.#given())
    return []
  }

  /** The keys of a mapping with their places. Anything else is a problem, as are fewer keys than `least`. */
  entries({ least }: { least: 0 | 1 }): [string, Place][] {
    const tree = this.#tree
    const entries = isMapping(tree) ? Object.entries(tree) : []
    if (!isMapping(tree) || entries.length < least)
      this.problem(least === 0 ? 'keys with values' : 'at least one key with its value', this.#given())
    return entries.map(([key, value]) => [key, this.#inside(value, this.#pathOf(key))])
  }

  /** The places of the keys that may stand here. Any other key is a problem, as is no mapping: then `undefined`. */
  fields<K extends string>(...known: K[]): Record<K, Place> | undefined {
    const tree = this.#tree
    if (!isMapping(tree)) {
      this.problem(`the keys ${known.join(', ')}`, this.#given())
      return undefined
    }
    if (this.path === '' && !Object.keys(tree).some((key) => nearest(key, [...known]) !== undefined)) {
      this.problem(`the keys ${known.join(', ')}`, 'none of them')
      return undefined
    }
    for (const key of Object.keys(tree)) if (!known.some((name) => name === key)) this.#unknownKey(key, known)
    const places = known.map((key) => [
      key,
      this.#inside(Object.hasOwn(tree, key) ? tree[key]! : '', this.#pathOf(key)),
    ])
    return Object.fromEntries(places)
  }

  /** What a parser makes of the text here; `undefined` if that is a problem. */
  read<T>(parse: Parser<T>): T | undefined {
    try {
      return parse(this.#text())
    } catch (error) {
      if (!(error instanceof Unexpected)) throw error
      this.problem(error.message, this.isGiven ? error.got : undefined)
      return undefined
    }
  }

  /** As `read`, but nothing here means `fallback`. */
  readOr<T, F>(parse: Parser<T>, fallback: F): T | F | undefined {
    return this.isGiven ? this.read(parse) : fallback
  }

  /** Another file may stand in the place of the right one, and hold secrets: of a whole one nothing is shown. */
  #given(): string {
    return this.path === '' && typeof this.#tree === 'string' && this.isGiven ? 'a text' : describe(this.#tree)
  }

  #text(): string {
    if (typeof this.#tree !== 'string') throw new Unexpected('one value')
    if (this.#tree === '') throw new Unexpected('a value')
    return this.#tree
  }

  #unknownKey(key: string, known: readonly string[]): void {
    const meant = nearest(key, known)
    this.problem(
      `one of the keys ${known.join(', ')}`,
      `${quoteHidingLogin(key)}${meant === undefined ? '' : ` (is it ${meant}?)`}`,
    )
  }

  #pathOf(key: string): string {
    if (!/^\w+$/.test(key)) return `${this.path}[${quoteHidingLogin(key)}]`
    return this.path === '' ? key : `${this.path}.${key}`
  }

  #inside(tree: Tree, path: string): Place {
    return new Place(tree, path, this.#report)
  }
}

/** The whole of a YAML or JSON text; `undefined` if it is neither, which is reported. */
export function readTree(content: string, report: Report): Place | undefined {
  // Editors of Windows put a byte-order mark there, after which the parser expects no list.
  const document = parseDocument(content.replace(/^\uFEFF/, ''), { schema: 'failsafe', stringKeys: true })
  try {
    const error = document.errors[0] ?? document.warnings[0]
    if (error !== undefined) throw error
    return new Place(document.toJS() ?? '', '', report)
  } catch (error) {
    report(`expected YAML or JSON, got: ${withoutContent(error as Error)}`)
    return undefined
  }
}

/**
 * What the parser says and where. After the first line and after a colon it quotes the file, which may hold secrets, and so it
 * does with tags and directives.
 */
function withoutContent(error: Error): string {
  const [first] = error.message.split('\n', 1) as [string]
  const place = error instanceof YAMLError ? error.linePos?.[0] : undefined
  const what = first
    .replace(/ at line \d+, column \d+:?$/, '')
    .replace(/(?<=\S):( .*)?$/, '')
    .replace(/[%!"'][^ ]*.*$/, '…')
  return place === undefined ? what : `${what} at line ${place.line}, column ${place.col}`
}

function isList(tree: Tree): tree is readonly Tree[] {
  return Array.isArray(tree)
}

function isMapping(tree: Tree): tree is { readonly [key: string]: Tree } {
  return typeof tree === 'object' && !isList(tree)
}

function describe(tree: Tree): string {
  if (tree === '') return 'nothing'
  if (typeof tree === 'string') return quoteHidingLogin(tree)
  if (isList(tree)) return tree.length === 0 ? 'an empty one' : `a list of ${tree.length}`
  return Object.keys(tree).length === 0 ? 'an empty one' : 'a mapping'
}
