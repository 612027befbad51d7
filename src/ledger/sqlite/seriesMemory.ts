/**
 * What is stored of series, as numbers in memory: reading it from the file for each delivery, once to judge and once to
 * record, costs more than writing what changed.
 *
 * It is true because nobody else writes the file, as long as whoever changes the row of a series says so here. Some 140 bytes
 * for each series, outside of the heap, so that a million of them give the garbage collector nothing to do. What does not fit
 * into that (the lines a series left, numbers of more than 18 digits, what is no hash) is read from the file each time.
 */
import { type Decimal, zero } from '../../core/decimals.ts'
import type { StoredSeries } from '../ledger.ts'
import { NO_HASH } from '../receipts.ts'
import { openEntry, type StartOf } from '../seriesRows.ts'

export interface SeriesMemory {
  /** What is stored of the series with this number, if it is remembered. */
  get(id: number): StoredSeries | undefined
  put(stored: StoredSeries): void
  /** To be called when the row of a series changed in any other way. */
  drop(id: number): void
  /** Forgets all that was put since the last call of `keep`: the transaction was rolled back. */
  forget(): void
  keep(): void
}

/** Series whose numbers lie together; a ledger of a few takes no more than a few hundred kilobytes. */
const PLACES = 1_024

/** Bytes of a hash. */
const HASH_LENGTH = 32

/** How they are written: no two such texts are the same bytes. */
const usualHash = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** Names that many series share: exporters, targets, versions of prices. More of them are a mistake, and are not remembered. */
const MOST_NAMES = 10_000

/** The columns of some series. A name is 0 for none. */
interface Shelf {
  /** 0 for a series that is not remembered. */
  readonly isKnown: Uint8Array
  readonly at: Float64Array
  readonly valueDigits: BigInt64Array
  readonly valueScale: Uint16Array
  readonly origin: Uint16Array
  readonly carryDigits: BigInt64Array
  readonly carryScale: Uint16Array
  readonly pace: Float64Array
  readonly hasStillSince: Uint8Array
  readonly stillSince: Float64Array
  /** 0 for no open entry: numbers begin with 1. */
  readonly openNumber: Float64Array
  readonly openWindow: Float64Array
  readonly openPrice: Uint16Array
  readonly openedBy: Uint16Array
  readonly hasHead: Uint8Array
  readonly hasBase: Uint8Array
  /** Of each series its head, and the base of its open entry. */
  readonly hashes: Buffer
}

function createShelf(): Shelf {
  return {
    isKnown: new Uint8Array(PLACES),
    at: new Float64Array(PLACES),
    valueDigits: new BigInt64Array(PLACES),
    valueScale: new Uint16Array(PLACES),
    origin: new Uint16Array(PLACES),
    carryDigits: new BigInt64Array(PLACES),
    carryScale: new Uint16Array(PLACES),
    pace: new Float64Array(PLACES),
    hasStillSince: new Uint8Array(PLACES),
    stillSince: new Float64Array(PLACES),
    openNumber: new Float64Array(PLACES),
    openWindow: new Float64Array(PLACES),
    openPrice: new Uint16Array(PLACES),
    openedBy: new Uint16Array(PLACES),
    hasHead: new Uint8Array(PLACES),
    hasBase: new Uint8Array(PLACES),
    hashes: Buffer.alloc(PLACES * 2 * HASH_LENGTH),
  }
}

/** @param startOf Where an entry begins. */
export function createSeriesMemory(startOf: StartOf): SeriesMemory {
  const shelves: (Shelf | undefined)[] = []
  const names = createNames()
  let unsure: number[] = []

  function shelfOf(id: number): Shelf {
    const index = Math.floor(id / PLACES)
    const shelf = shelves[index] ?? createShelf()
    shelves[index] = shelf
    return shelf
  }

  function get(id: number): StoredSeries | undefined {
    const shelf = shelves[Math.floor(id / PLACES)]
    const place = id % PLACES
    if (shelf === undefined || shelf.isKnown[place] === 0) return undefined
    const origin = names.textOf(shelf.origin[place]!)
    const openedBy = names.textOf(shelf.openedBy[place]!)
    const number = shelf.openNumber[place]!
    const { hashes } = shelf
    const hashAt = place * 2 * HASH_LENGTH
    return {
      number: id,
      state: {
        watermark: {
          at: shelf.at[place]!,
          value: decimalOf(shelf.valueDigits[place]!, shelf.valueScale[place]!),
          ...(origin !== undefined && { origin }),
        },
        pace: shelf.pace[place]!,
        ...(shelf.hasStillSince[place] === 1 && { stillSince: shelf.stillSince[place]! }),
      },
      carry: decimalOf(shelf.carryDigits[place]!, shelf.carryScale[place]!),
      chain: {
        head: shelf.hasHead[place] === 1 ? hashes.toString('base64url', hashAt, hashAt + HASH_LENGTH) : NO_HASH,
        ...(shelf.hasBase[place] === 1 && {
          openBase: hashes.toString('base64url', hashAt + HASH_LENGTH, hashAt + 2 * HASH_LENGTH),
        }),
        ...(openedBy !== undefined && { openedBy }),
      },
      ...(number !== 0 && {
        open: openEntry(number, shelf.openWindow[place]!, names.textOf(shelf.openPrice[place]!)!, startOf),
      }),
    }
  }

  function put({ number: id, state, carry, open, chain }: StoredSeries): void {
    const { watermark, pace, stillSince, formerLines } = state
    const shelf = shelfOf(id)
    const place = id % PLACES
    shelf.isKnown[place] = 0
    const [value, left] = [shortest(watermark.value), shortest(carry)]
    const [origin, openedBy] = [names.numberOf(watermark.origin), names.numberOf(chain.openedBy)]
    const price = names.numberOf(open?.priceVersion)
    if (formerLines !== undefined || !fits(value) || !fits(left)) return
    if (!isUsual(chain.head) || !isUsual(chain.openBase)) return
    if (origin === undefined || openedBy === undefined || price === undefined) return
    unsure.push(id)
    shelf.at[place] = watermark.at
    shelf.valueDigits[place] = value.digits
    shelf.valueScale[place] = value.scale
    shelf.origin[place] = origin
    shelf.carryDigits[place] = left.digits
    shelf.carryScale[place] = left.scale
    shelf.pace[place] = pace
    shelf.hasStillSince[place] = stillSince === undefined ? 0 : 1
    shelf.stillSince[place] = stillSince ?? 0
    shelf.openNumber[place] = open?.number ?? 0
    shelf.openWindow[place] = open?.window ?? 0
    shelf.openPrice[place] = price
    shelf.openedBy[place] = openedBy
    shelf.hasHead[place] = putHash(shelf.hashes, place * 2, chain.head)
    shelf.hasBase[place] = putHash(shelf.hashes, place * 2 + 1, chain.openBase ?? NO_HASH)
    shelf.isKnown[place] = 1
  }

  function drop(id: number): void {
    const shelf = shelves[Math.floor(id / PLACES)]
    if (shelf !== undefined) shelf.isKnown[id % PLACES] = 0
  }

  return {
    get,
    put,
    drop,
    forget() {
      for (const id of unsure) drop(id)
      unsure = []
    },
    keep() {
      unsure = []
    },
  }
}

/** Whether a hash is one, or there is none. A file that was damaged may hold anything. */
function isUsual(hash: string = NO_HASH): boolean {
  return hash === NO_HASH || usualHash.test(hash)
}

/** Returns 1 if there is a hash, else 0. */
function putHash(hashes: Buffer, place: number, hash: string): number {
  if (hash === NO_HASH) return 0
  hashes.write(hash, place * HASH_LENGTH, HASH_LENGTH, 'base64url')
  return 1
}

function decimalOf(digits: bigint, scale: number): Decimal {
  return scale === 0 && digits === 0n ? zero : { digits, scale }
}

/** Without superfluous zeros, as a decimal is read from the file. */
function shortest({ digits, scale }: Decimal): Decimal {
  if (scale === 0 || digits % 10n !== 0n) return { digits, scale }
  if (digits === 0n) return zero
  return shortest({ digits: digits / 10n, scale: scale - 1 })
}

function fits({ digits }: Decimal): boolean {
  return BigInt.asIntN(64, digits) === digits
}

interface Names {
  /** `undefined` if there are too many; 0 for no name. */
  numberOf(name: string | undefined): number | undefined
  textOf(number: number): string | undefined
}

function createNames(): Names {
  const numbers = new Map<string, number>()
  const texts: (string | undefined)[] = [undefined]
  return {
    numberOf(name) {
      if (name === undefined) return 0
      const known = numbers.get(name)
      if (known !== undefined || texts.length > MOST_NAMES) return known
      numbers.set(name, texts.length)
      return texts.push(name) - 1
    },
    textOf: (number) => texts[number],
  }
}
