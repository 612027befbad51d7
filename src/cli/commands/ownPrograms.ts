/** Commands that are programs of their own on the machine of the ledger, with options and exit codes of their own. */
import { fileURLToPath } from 'node:url'
import type { Command } from '../command.ts'

const programAt = (path: string) => fileURLToPath(new URL(`../../${path}/main.ts`, import.meta.url))

type OwnProgram = Pick<Command, 'name' | 'operands' | 'summary' | 'examples'>

function passedOn(path: string, command: OwnProgram): Command {
  const program = programAt(path)
  return {
    ...command,
    options: {},
    about: `Runs another program, with options and exit codes of its own: os-credits ${command.name} --help`,
    isPassedOn: true,
    run: (call, { runProgram }) => runProgram(program, call.operands),
  }
}

export const verifyCommand = passedOn('verify', {
  name: 'verify',
  operands: ['LEDGER'],
  summary: 'check a ledger on this machine, also while the worker runs',
  examples: ['verify data/credits.db', 'verify --group bio data/credits.db'],
})

export const migrateLedgerCommand = passedOn('move', {
  name: 'migrate-ledger',
  operands: ['FROM', 'TO'],
  summary: 'move a ledger between SQLite and PostgreSQL, while no worker runs',
  examples: ['migrate-ledger sqlite:data/credits.db postgres://ann@db/credits', 'migrate-ledger @old @new'],
})

export const backfillCommand = passedOn('tools/backfill', {
  name: 'backfill',
  operands: [],
  summary: 'read what the worker missed from Prometheus, or show what would come of that',
  examples: ['backfill --from -2d --dry-run', 'backfill --from 2026-11-21T03:00:00Z --to 2026-11-22'],
})

export const replayCommand = passedOn('tools/replay', {
  name: 'replay',
  operands: ['FILE…'],
  summary: 'show what recorded expositions would be charged, perhaps at other prices',
  examples: ['replay recordings/*.prom', 'replay --prices tried.yaml --site 8676 recordings/*.prom.gz'],
})

export const backupCommand = passedOn('tools/backup', {
  name: 'backup',
  operands: ['TO'],
  summary: 'back the ledger on this machine up, also while the worker runs',
  examples: ['backup backups/credits-2026-12-01.db', 'backup --force --ledger data/credits.db latest.db'],
})
