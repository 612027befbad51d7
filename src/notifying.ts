/** What tells people of notices: builds its parts beside the worker's, whose publishing it never delays. */
import { briefly, createOutlook } from './billing/outlook.ts'
import { createRunsOutWatch } from './billing/runsOut.ts'
import { systemClock } from './core/time.ts'
import type { NotifyingStatus } from './http/parts.ts'
import type { Forecasts } from './ledger/forecasts.ts'
import type { Ledger } from './ledger/ledger.ts'
import { type Digest, writeDigest } from './publish/mail/digest.ts'
import { createMail } from './publish/mail/mail.ts'
import type { Told } from './publish/messenger.ts'
import { createTeller, type Teller } from './publish/teller.ts'
import { createWebhooks, webhookName } from './publish/webhook/webhook.ts'
import type { Worker, WorkerParts } from './worker.ts'

export interface Notifying {
  readonly teller: Pick<Teller, 'wake'>
  /** To be called once. */
  start(): void
  /** Resolves when nothing is being sent any more. */
  stop(): Promise<void>
  status(): NotifyingStatus
  preview(notices: readonly Told[]): Digest
}

export function assembleNotifying(
  { settings, version, logging, metrics, clock = systemClock }: WorkerParts,
  ledger: Ledger,
  forecasts: Forecasts,
  { peopleOf, lead }: Pick<Worker, 'peopleOf' | 'lead'>,
): Notifying {
  const { mail, webhooks, publicUrl, precision, notifyDays } = settings
  const logger = logging.logger('notify')
  const outlookOf = createOutlook(forecasts)
  const isOurs = () => lead?.isHeld() ?? true
  const digest = {
    precision,
    ...(publicUrl !== undefined && { publicUrl: publicUrl.replace(/\/$/, '') }),
    ...(mail?.governance !== undefined && { governance: mail.governance }),
  }
  const teller = createTeller({
    ledger,
    messengers: {
      ...(mail !== undefined && { mail: createMail({ ...mail, ...digest }) }),
      ...(webhooks !== undefined && {
        webhook: createWebhooks({ ...webhooks, userAgent: `credits-worker/${version}`, clock }),
      }),
    },
    people: { ...mail, ...(peopleOf !== undefined && { peopleOf }) },
    webhooks: webhooks?.urls.map(webhookName) ?? [],
    outlookOf: async (group) => {
      const row = await ledger.group(group)
      const outlook = row && (await outlookOf(row))
      return outlook && briefly(outlook.forecast, clock.now())
    },
    isOurs,
    clock,
    logger,
    onNotice: (kind, state) => metrics.notices.inc({ kind, state }),
    onMessage: (channel, outcome) => metrics.messages.inc({ channel, outcome }),
  })
  const runsOut =
    notifyDays === 0
      ? undefined
      : createRunsOutWatch({ ledger, outlookOf, days: notifyDays, isOurs, clock, logger, onNotice: teller.wake })
  return {
    teller,
    start() {
      if (mail === undefined) logger.info('No mail is sent, as MAIL_FROM is not set')
      teller.start()
      runsOut?.start()
    },
    async stop() {
      await Promise.all([runsOut?.stop(), teller.stop()])
    },
    status: () => ({
      mail: mail !== undefined,
      webhooks: webhooks?.urls.length ?? 0,
      problems: isOurs() ? teller.problems : {},
    }),
    preview: (notices) => writeDigest(notices, digest),
  }
}
