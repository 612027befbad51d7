/** A program that opens a ledger in PostgreSQL, says so, and closes it when its input ends: `node opener.ts <address>`. */
import { writeSync } from 'node:fs'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'

const ledger = await openPostgresLedger(process.argv[2]!, { notifyAt: [50] })
writeSync(1, 'open\n')
process.stdin.resume().once('end', () => void ledger.close())
