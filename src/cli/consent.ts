/** Commands that decide something: what they will do is shown first, and a person agrees to it. */
import type { Call, Options } from './command.ts'
import { RefusedError, UsageError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** Of every command that decides. */
export const consentOptions = {
  actor: { value: 'NAME', doc: 'who decides, for the ledger; operator if not given' },
  yes: { doc: 'do it without asking; needed where nobody can be asked' },
} as const satisfies Options

/** Why something is decided; stays in the ledger. */
export const reasonOption = {
  reason: { value: 'TEXT', doc: 'why, for the ledger', isRequired: true },
} as const satisfies Options

/** @throws {UsageError} before anything is done, if nobody can be asked and it was not said that nobody need be. */
export function requireConsent(call: Call, { canAsk }: Terminal): void {
  if (call.has('yes') || canAsk) return
  throw new UsageError('This changes something, and nobody can be asked here: add --yes if it is meant.')
}

/**
 * Shows what will happen and waits for a yes.
 *
 * @throws {RefusedError} if the answer is anything else.
 */
export async function askConsent(what: string, call: Call, terminal: Terminal): Promise<void> {
  terminal.err(what)
  if (call.has('yes')) return
  const answer = await terminal.ask('Do it? [y/N] ')
  if (!/^y(es)?$/i.test(answer?.trim() ?? '')) throw new RefusedError('Nothing was done.')
}

/** What the body of a decision says about who and why. */
export function askingOf(call: Call): { reason?: string; actor?: string } {
  const [reason, actor] = [call.text('reason'), call.text('actor')]
  return { ...(reason !== undefined && { reason }), ...(actor !== undefined && { actor }) }
}
