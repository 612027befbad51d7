/** Every command there is, in the order of the help. */
import type { Command } from '../command.ts'
import { adjustCommand } from './adjust.ts'
import { acceptCommand, dismissCommand } from './decideHold.ts'
import { driftsCommand } from './drifts.ts'
import { explainCommand } from './explain.ts'
import { forecastCommand } from './forecast.ts'
import { groupsCommand } from './groups.ts'
import { historyCommand } from './history.ts'
import { holdCommand } from './hold.ts'
import { holdsCommand } from './holds.ts'
import { logsCommand } from './logs.ts'
import { muteCommand, unmuteCommand } from './mute.ts'
import { noticesCommand } from './notices.ts'
import { backfillCommand, backupCommand, migrateLedgerCommand, replayCommand, verifyCommand } from './ownPrograms.ts'
import { planCommand } from './plan.ts'
import { repriceCommands } from './reprice.ts'
import { statusCommand } from './status.ts'

export const commands: readonly Command[] = [
  statusCommand,
  groupsCommand,
  historyCommand,
  explainCommand,
  forecastCommand,
  holdsCommand,
  holdCommand,
  acceptCommand,
  dismissCommand,
  adjustCommand,
  ...repriceCommands,
  driftsCommand,
  noticesCommand,
  muteCommand,
  unmuteCommand,
  logsCommand,
  planCommand,
  backfillCommand,
  replayCommand,
  backupCommand,
  verifyCommand,
  migrateLedgerCommand,
]
