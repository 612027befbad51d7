/** Answers of Perun that are recorded after another worker has looked at the group, or has written it. */
import type { Settlement } from './ledger.ts'

/** What is left of such a settlement: neither what Perun shows, nor that all is done. */
export function withoutResult({ published, dealtWith, ...rest }: Settlement): Settlement {
  return rest
}
