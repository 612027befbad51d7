/** What every ledger promises (`src/ledger/ledger.ts`), as tests: each adapter is held to it by one call. */
import { suite } from 'vitest'
import type { Ledger } from '#src/ledger/ledger.ts'
import { correctingContract } from './contract/correcting.ts'
import { historyContract } from './contract/history.ts'
import { lawsContract } from './contract/laws.ts'
import { readingContract } from './contract/reading.ts'
import { recordingContract } from './contract/recording.ts'
import { settlingContract } from './contract/settling.ts'

/** @param open Opens an empty ledger; it is closed by the test. */
export function ledgerContract(name: string, open: () => Promise<Ledger>): void {
  suite(`${name} keeps the ledger contract:`, () => {
    suite('what it records', () => recordingContract(open))
    suite('what it answers', () => readingContract(open))
    suite('what it settles', () => settlingContract(open))
    suite('what it corrects', () => correctingContract(open))
    suite('what it tells of the past:', () => historyContract(open))
    suite('its laws:', () => lawsContract(open))
  })
}
