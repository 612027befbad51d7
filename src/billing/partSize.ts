/** How many readings are recorded at a time: as many as keep the program from answering for a moment that nobody notices. */

export interface PartSize {
  /** How many readings the next part may have. */
  readonly next: number
  /** Learns from a part. @param busy Milliseconds in which nothing else had its turn. */
  took(readings: number, busy: number): void
}

/** Milliseconds that a part may take. */
const GOAL = 12

/** A transaction waits for the disk however small it is. Up to 200 readings each cost no more than up to 500 (docs/PERFORMANCE.md). */
const LEAST = 200
const MOST = 2_000

/** Before anything is known: a site that is new takes longer than one that goes on. */
const FIRST = 200

/** Parts take as long as the last one did for each of its readings. */
export function createPartSize(): PartSize {
  let next = FIRST
  return {
    get next() {
      return next
    },
    took(readings, busy) {
      // What is left over at the end of a delivery says little.
      if (readings >= LEAST) next = Math.max(LEAST, Math.min(MOST, Math.round((readings * GOAL) / busy)))
    },
  }
}

/** Always the same. */
export function fixedPartSize(size: number): PartSize {
  return { next: size, took: () => {} }
}
