/** How a message is closed, as each ledger does it. */
import type { MessageLedger } from './messages.ts'

export type Closing = Parameters<MessageLedger['closeMessage']>[1]

/** Closed without a content, because nobody wanted to be told. */
export const NO_NEWS = 'All of its projects were muted or got another grant before it was sent'

/** Whether a closing is about the very notices that are in the message. */
export function isOfAll(
  notices: readonly number[],
  { told, muted, overtaken = [], instead = [] }: Pick<Closing, 'told' | 'muted' | 'overtaken' | 'instead'>,
): boolean {
  const seen = new Set([...told.filter((id) => !instead.includes(id)), ...muted, ...overtaken])
  return notices.length === seen.size && notices.every((id) => seen.has(id))
}
