/**
 * Cuts the text of a JSON array into its objects while it arrives.
 *
 * All groups of a large site are some twenty megabytes of JSON. Collected and parsed at once they would take many times
 * their size; cut like this, only one group at a time is more than a piece of the network's.
 *
 * What is no array must not look like an empty one: that would mean that a site has lost all its groups.
 */
const [quote, backslash, open, close, openArray, closeArray, comma] = [...'"\\{}[],'].map((character) =>
  character.charCodeAt(0),
)
const blanks = [...' \t\r\n'].map((character) => character.charCodeAt(0))

/** Bytes of a group with all that we ask for: much more than that never ends. */
const LARGEST_ELEMENT = 8 * 1_024 * 1_024

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
  /** Not one array: an error object, a page with a style sheet, an array with an error behind it. */
  let isSomethingElse = false
  /** The beginning of an element that has not ended yet. */
  let begun: Buffer[] = []
  let size = 0

  function push(piece: Buffer): void {
    let start = depth > 1 ? 0 : -1
    for (let index = 0; index < piece.length && !isSomethingElse; index += 1) {
      const byte = piece[index]!
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quote) isInString = false
      } else if (depth === 0) goOutside(byte)
      else if (depth === 1 && byte !== open && byte !== openArray && byte !== closeArray) goBetween(byte)
      else if (byte === quote) isInString = true
      else if (byte === open || byte === openArray) {
        depth += 1
        if (depth === 2) start = index
      } else if (byte === close || byte === closeArray) {
        depth -= 1
        if (depth === 0) end(byte)
        if (depth !== 1) continue
        take(Buffer.concat([...begun, piece.subarray(start, index + 1)]))
        begun = []
        size = 0
        start = -1
      }
    }
    if (start !== -1 && !isSomethingElse) keep(piece.subarray(start))
  }

  /** Before and behind the array stand blanks only. */
  function goOutside(byte: number): void {
    if (blanks.includes(byte)) return
    if (byte === openArray && !isOver) depth = 1
    else isSomethingElse = true
  }

  /** Between elements stand commas. What else stands there is an element that is neither object nor array. */
  function goBetween(byte: number): void {
    if (byte !== comma && !blanks.includes(byte)) isSomethingElse = true
  }

  function keep(piece: Buffer): void {
    size += piece.length
    if (size > LARGEST_ELEMENT) isSomethingElse = true
    else begun.push(piece)
  }

  function end(byte: number): void {
    isOver = byte === closeArray
    isSomethingElse = !isOver
  }

  return { push, isWhole: () => isOver && !isSomethingElse }
}
