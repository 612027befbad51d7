/** How many rows a list has. */
import type { Call, Options } from '../command.ts'
import { wholeNumber } from '../words.ts'

export const limitOption = { limit: { value: 'NUMBER', doc: 'at most so many' } } as const satisfies Options

/** @throws {UsageError} if it is no whole number from 1 on. */
export function limitOf(call: Call): number | undefined {
  const text = call.text('limit')
  return text === undefined ? undefined : wholeNumber('--limit', text)
}
