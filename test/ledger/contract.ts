/** What every ledger promises (`src/ledger/ledger.ts`), as tests: each adapter is held to it by one call. */
import { suite } from 'vitest'
import type { Ledger } from '#src/ledger/ledger.ts'
import { catchingUpContract } from './contract/catchingUp.ts'
import { correctingContract } from './contract/correcting.ts'
import { historyContract } from './contract/history.ts'
import { holdingContract } from './contract/holding.ts'
import { lawsContract } from './contract/laws.ts'
import { noticingContract } from './contract/noticing.ts'
import { overflowContract } from './contract/overflow.ts'
import { readingContract } from './contract/reading.ts'
import { recordingContract } from './contract/recording.ts'
import { settlingContract } from './contract/settling.ts'
import { tellingContract } from './contract/telling.ts'

/** @param open Opens an empty ledger that watches 50, 80 and 100 % of grants; it is closed by the test. */
export function ledgerContract(name: string, open: () => Promise<Ledger>): void {
  suite(`${name} keeps the ledger contract:`, () => {
    suite('what it records', () => recordingContract(open))
    suite('what it holds', () => holdingContract(open))
    suite('what it answers', () => readingContract(open))
    suite('what it settles', () => settlingContract(open))
    suite('what it corrects', () => correctingContract(open))
    suite('what people are to be told', () => noticingContract(open))
    suite('what it tells them:', () => tellingContract(open))
    suite('what it tells of the past:', () => historyContract(open))
    suite('when the worker catches up:', () => catchingUpContract(open))
    suite('what it cannot hold:', () => overflowContract(open))
    suite('its laws:', () => lawsContract(open))
  })
}
