/**
 * Whether committed transactions are missing in the middle of a write-ahead log.
 *
 * SQLite reads its log up to the first frame whose checksum is wrong and forgets the rest without a word: after a power
 * failure that is right, because the rest was never committed. When bytes of a committed frame were changed it is not: what
 * was charged and published since would be charged again. A transaction is on the disk before the next one begins, so a
 * wrong frame with a whole transaction after it, and the beginning of another, was committed once.
 *
 * The format is that of https://www.sqlite.org/fileformat2.html#walformat.
 */

const HEADER_SIZE = 32
const FRAME_HEADER_SIZE = 24
/** The last bit says whether checksums are made of big-endian words. */
const MAGIC = 0x377f0682

type Sums = readonly [number, number]

/** What is wrong with a log; `undefined` if nothing is, as far as it tells. */
export function damageOf(log: Buffer): string | undefined {
  if (log.length < HEADER_SIZE + FRAME_HEADER_SIZE) return undefined
  const isBigEndian = log.readUInt32BE(0) === MAGIC + 1
  let sums = checksum(log, 0, 24, [0, 0], isBigEndian)
  if ((log.readUInt32BE(0) & ~1) !== MAGIC || !isAt(log, 24, sums)) return 'the header of its -wal file is wrong'
  const frameSize = FRAME_HEADER_SIZE + log.readUInt32BE(8)
  let isWrong = false
  let isOver = false
  for (let at = HEADER_SIZE; at + frameSize <= log.length; at += frameSize) {
    // Frames of an earlier round, which the log has not come to overwrite, have another salt.
    const isCurrent = log.compare(log, at + 8, at + 16, 16, 24) === 0
    if (isOver && isCurrent) return 'a committed transaction in its -wal file is wrong'
    if (!isWrong) {
      sums = checksum(log, at, 8, sums, isBigEndian)
      sums = checksum(log, at + FRAME_HEADER_SIZE, frameSize - FRAME_HEADER_SIZE, sums, isBigEndian)
      isWrong = !isCurrent || !isAt(log, at + 16, sums)
    }
    const isCommit = log.readUInt32BE(at + 4) !== 0
    isOver ||= isWrong && isCurrent && isCommit
  }
  return undefined
}

function checksum(log: Buffer, from: number, length: number, [a, b]: Sums, isBigEndian: boolean): Sums {
  const word = isBigEndian ? (at: number) => log.readUInt32BE(at) : (at: number) => log.readUInt32LE(at)
  let [first, second] = [a, b]
  for (let at = from; at < from + length; at += 8) {
    first = (first + word(at) + second) >>> 0
    second = (second + word(at + 4) + first) >>> 0
  }
  return [first, second]
}

function isAt(log: Buffer, at: number, [a, b]: Sums): boolean {
  return log.readUInt32BE(at) === a && log.readUInt32BE(at + 4) === b
}
