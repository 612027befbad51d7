/**
 * Numbers by texts, outside of the heap: a million texts would be a hundred megabytes that the garbage collector looks through
 * again and again.
 *
 * Of a text its digest is kept, of 128 bits: no accident gives two texts the same one.
 */
import { hash } from 'node:crypto'

export interface NumbersByText {
  get(text: string): number | undefined
  /** @throws {RangeError} unless the number is whole, and from 1 to `MOST`. */
  set(text: string, number: number): void
  delete(text: string): void
}

/** The largest number. */
export const MOST = 0xff_ff_ff_fe

/** In the place of a number: here was one once. A row without any has 0. */
const GONE = 0xff_ff_ff_ff

/** Tables, by the first byte of a digest: each of them grows by itself, in a moment that nobody notices. */
const TABLES = 256
const FIRST_ROWS = 16

/** A row: the digest, then the number. */
const [DIGEST, ROW] = [4, 5]

interface Table {
  readonly words: Uint32Array
  /** A power of two. Half of them are empty, so whoever looks for a text soon finds it or an empty one. */
  readonly rows: number
  used: number
}

export function createNumbersByText(): NumbersByText {
  const tables: (Table | undefined)[] = Array.from({ length: TABLES })
  /** Of the text that is asked for. */
  const digest = new Uint32Array(DIGEST)

  function tableOf(text: string): Table | undefined {
    const bytes = hash('sha256', text, 'latin1')
    for (let word = 0; word < DIGEST; word += 1) digest[word] = wordAt(bytes, word * 4)
    return tables[digest[0]! & (TABLES - 1)]
  }

  function numberOf(text: string): number {
    const table = tableOf(text)
    return table === undefined ? 0 : table.words[placeOf(table, digest) + DIGEST]!
  }

  return {
    get(text) {
      const number = numberOf(text)
      return number === 0 || number === GONE ? undefined : number
    },
    set(text, number) {
      if (!Number.isInteger(number) || number < 1 || number > MOST)
        throw new RangeError(`Expected a number from 1 to ${MOST}, got ${number}.`)
      const known = tableOf(text)
      const table = known === undefined || known.used * 2 >= known.rows ? grown(known) : known
      tables[digest[0]! & (TABLES - 1)] = table
      put(table, digest, number)
    },
    delete(text) {
      const table = tableOf(text)
      const place = table && placeOf(table, digest)
      if (place !== undefined && table!.words[place + DIGEST] !== 0) table!.words[place + DIGEST] = GONE
    },
  }
}

function wordAt(bytes: string, at: number): number {
  return (
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  )
}

function createTable(rows: number): Table {
  return { words: new Uint32Array(rows * ROW), rows, used: 0 }
}

/** Where the row of a digest is, or the empty one where it belongs. */
function placeOf({ words, rows }: Table, digest: Uint32Array): number {
  for (let row = digest[1]! & (rows - 1); ; row = (row + 1) & (rows - 1)) {
    const place = row * ROW
    if (words[place + DIGEST] === 0 || isAt(words, place, digest)) return place
  }
}

function isAt(words: Uint32Array, place: number, digest: Uint32Array): boolean {
  for (let word = 0; word < DIGEST; word += 1) if (words[place + word] !== digest[word]) return false
  return true
}

function put(table: Table, digest: Uint32Array, number: number): void {
  const { words } = table
  const place = placeOf(table, digest)
  if (words[place + DIGEST] === 0) table.used += 1
  words.set(digest, place)
  words[place + DIGEST] = number
}

/** With twice as many rows, and without what is gone. */
function grown(table: Table | undefined): Table {
  if (table === undefined) return createTable(FIRST_ROWS)
  const larger = createTable(table.rows * 2)
  for (let place = 0; place < table.words.length; place += ROW) {
    const number = table.words[place + DIGEST]!
    if (number !== 0 && number !== GONE) put(larger, table.words.subarray(place, place + DIGEST), number)
  }
  return larger
}
