/**
 * Cuts the text of a JSON array into its objects while it arrives.
 *
 * All groups of a large site are some twenty megabytes of JSON. Collected and parsed at once they would take many times
 * their size; cut like this, only one group at a time is more than a piece of the network's.
 */
const [quote, backslash, open, close, openArray, closeArray] = [...'"\\{}[]'].map((character) =>
  character.charCodeAt(0),
)

export interface Cutter {
  /** Takes the next piece of the text. */
  push(piece: Buffer): void
  /** Whether all that came is one whole array. */
  isWhole(): boolean
}

/** @param take Gets the text of each object or array in the array, in order. */
export function createCutter(take: (element: Buffer) => void): Cutter {
  let depth = 0
  let isInString = false
  let isEscaped = false
  let isOver = false
  /** The beginning of an element that has not ended yet. */
  let begun: Buffer[] = []

  function push(piece: Buffer): void {
    let start = depth > 1 ? 0 : -1
    for (let index = 0; index < piece.length; index += 1) {
      const byte = piece[index]
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quote) isInString = false
      } else if (byte === quote) isInString = true
      else if (byte === open || byte === openArray) {
        depth += 1
        if (depth === 2) start = index
      } else if (byte === close || byte === closeArray) {
        depth -= 1
        if (depth === 0) isOver = true
        if (depth !== 1) continue
        take(Buffer.concat([...begun, piece.subarray(start, index + 1)]))
        begun = []
        start = -1
      }
    }
    if (start !== -1) begun.push(piece.subarray(start))
  }

  return { push, isWhole: () => isOver && depth === 0 }
}
