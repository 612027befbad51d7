/**
 * Posts notices to programs, as Standard Webhooks has it: an id that stays, a timestamp and a signature over both and the
 * body, so that a receiver can tell who sent it, that it is new and that it had it already.
 */
import { createHmac, hash } from 'node:crypto'
import got, { RequestError } from 'got'
import { formatCredits } from '../../core/credits.ts'
import { decimal, formatDecimal, subtract } from '../../core/decimals.ts'
import { type Clock, formatInstant, SECOND } from '../../core/time.ts'
import type { Messenger, SendOutcome, Told } from '../messenger.ts'

export interface WebhookOptions {
  readonly urls: readonly string[]
  /** In base64. */
  readonly key: string
  readonly userAgent: string
  readonly clock: Clock
  /** Milliseconds until an answer has to be there. */
  readonly timeout?: number
}

/** The receiver is gone and wants nothing more. */
const GONE = 410

/** How a webhook is called in the ledger and the log. Its address may hold a token. */
export function webhookName(url: string): string {
  return `${new URL(url).origin} #${hash('sha256', url).slice(0, 8)}`
}

export function createWebhooks({ urls, key, userAgent, clock, timeout = 10 * SECOND }: WebhookOptions): Messenger {
  const urlOf = new Map(urls.map((url) => [webhookName(url), url]))
  const client = got.extend({
    method: 'POST',
    retry: { limit: 0 },
    timeout: { request: timeout },
    followRedirect: false,
    throwHttpErrors: false,
  })

  /** Only the status counts; what else is answered is not waited for. */
  function post(url: string, body: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const stream = client.stream(url, { body, headers })
      stream.on('error', reject)
      stream.once('response', ({ statusCode }: { statusCode: number }) => {
        resolve(statusCode)
        stream.destroy()
      })
    })
  }

  return {
    compose: ([notice]) => JSON.stringify(eventOf(notice!)),
    async send({ uid, to, content }) {
      const url = urlOf.get(to)
      if (url === undefined) return { kind: 'refused', why: 'No webhook of this name is configured any more' }
      const timestamp = String(Math.floor(clock.now() / SECOND))
      const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(`${uid}.${timestamp}.${content}`)
      const headers = {
        'content-type': 'application/json',
        'user-agent': userAgent,
        'webhook-id': uid,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature.digest('base64')}`,
      }
      try {
        return outcomeOf(await post(url, content, headers))
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        return { kind: 'failed', why: `The webhook could not be reached (${error.code})`, affects: 'recipient' }
      }
    },
  }
}

function outcomeOf(status: number): SendOutcome {
  if (status >= 200 && status < 300) return { kind: 'sent' }
  if (status === GONE)
    return { kind: 'refused', why: 'The webhook says that it is gone (410): remove it from the settings' }
  return { kind: 'failed', why: `The webhook answered ${status}`, affects: 'recipient' }
}

function eventOf({ id, group, kind, line, granted, used, at, outlook }: Told) {
  const left = subtract(decimal(granted), { digits: used, scale: 6 })
  return {
    type: kind === 'threshold' ? 'credits.threshold' : 'credits.runs_out',
    timestamp: formatInstant(at),
    data: {
      notice: id,
      group,
      ...(kind === 'threshold' ? { percent: line } : { within_days: line }),
      granted,
      used: formatCredits(used),
      left: formatDecimal(left),
      burn_per_day: outlook?.burnPerDay ?? null,
      runs_out_at: outlook?.runsOutAt === undefined ? null : formatInstant(outlook.runsOutAt),
    },
  }
}
