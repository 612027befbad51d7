/** How far catching up is, for programs and in words. */
import { formatInstant } from '../core/time.ts'
import type { CatchingUp } from './parts.ts'

export function catchUpJson(status: CatchingUp | undefined) {
  if (status === undefined) return { state: 'off', reason: 'PROMETHEUS_URL is not set.' }
  if (status.state === 'waiting') return { ...status, since: formatInstant(status.since) }
  if (status.state !== 'reading') return status
  const { state, after, upTo, at, readings } = status
  const instants = { after: formatInstant(after), up_to: formatInstant(upTo), at: formatInstant(at) }
  return { state, percent: percentOf(status), ...instants, readings }
}

/** Why the worker does not do all of its work yet; `undefined` if it does. */
export function catchUpReason(status: CatchingUp | undefined): string | undefined {
  if (status?.state === 'waiting') {
    const sites = status.sites.length === 0 ? 'Nothing is scraped' : `Sites ${status.sites.join(', ')} are not charged`
    return `Catching up waits: ${status.reason.replace(/\.$/, '')}. ${sites} before that.`
  }
  if (status?.state !== 'reading') return undefined
  return `Catching up: ${percentOf(status)} %, readings until ${formatInstant(status.at)} of ${formatInstant(status.upTo)}.`
}

function percentOf({ after, upTo, at }: Extract<CatchingUp, { state: 'reading' }>): number {
  return upTo === after ? 100 : Math.floor((100 * (at - after)) / (upTo - after))
}
