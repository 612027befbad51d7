/**
 * Texts as PostgreSQL can hold them: it has no character 0, names of projects do.
 *
 * U+FDD0, which no writing uses, announces a character: after it `0` stands for character 0, `1` for U+FDD0 itself.
 */
const MARK = '\uFDD0'
const NUL = '\0'

const hidden = /[\0\uFDD0]/g

export function encodeText(text: string): string {
  if (!text.includes(NUL) && !text.includes(MARK)) return text
  return text.replace(hidden, (each) => MARK + (each === NUL ? '0' : '1'))
}

export function decodeText(text: string): string {
  return text.includes(MARK) ? text.replace(/\uFDD0([01])/g, (_, kind) => (kind === '0' ? NUL : MARK)) : text
}

/** The same within JSON, where character 0 has to be written as an escape. */
export function decodeJson(text: string): string {
  return text.includes(MARK) ? text.replace(/\uFDD0([01])/g, (_, kind) => (kind === '0' ? '\\u0000' : MARK)) : text
}
