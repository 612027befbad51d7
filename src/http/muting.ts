/** Telling the people of a group nothing any more, and telling them again: what the API and the page of the group do. */
import type { Mute } from '../ledger/notices.ts'
import type { HttpParts } from './parts.ts'
import { unknownGroup } from './routes/groups.ts'

export type MuteChange = 'mute' | 'unmute'

/**
 * @returns The mute, if there is one now.
 *
 * @throws {NotFoundError} if there is no such group.
 */
export async function changeMute(
  { ledger, clock, logger }: Pick<HttpParts, 'ledger' | 'clock' | 'logger'>,
  change: MuteChange,
  group: string,
  { actor, reason }: Pick<Mute, 'actor' | 'reason'>,
): Promise<Mute | undefined> {
  const mute = { group, at: clock.now(), actor, reason }
  const isKnown = change === 'mute' ? await ledger.mute(mute) : await ledger.unmute(group)
  if (!isKnown) throw unknownGroup(group)
  logger.info({ group, actor, reason }, change === 'mute' ? 'A group is muted' : 'A group is not muted any more')
  return change === 'mute' ? mute : undefined
}
