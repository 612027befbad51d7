/**
 * The name of a group as a part of an address, in which `.` and `..` cannot stand: whoever reads an address takes them out,
 * percent-encoded too. A slash behind them (`..%2F`) keeps them in. Names that look like that get one more.
 */

/** As a part of a path. */
export function inPath(name: string): string {
  return encodeURIComponent(/^\.{1,2}\/*$/.test(name) ? `${name}/` : name.toWellFormed())
}

/** @param part A part of a path that is decoded already. Dots without a slash are taken as they are. */
export function fromPath(part: string): string {
  return /^\.{1,2}\/+$/.test(part) ? part.slice(0, -1) : part
}
