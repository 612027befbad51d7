import { expect, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { sayNews } from '#src/telemetry/repeats.ts'
import { testClock } from '../helpers/billing.ts'

test('Trouble is said aloud when it is new, and again after an hour without it, whatever numbers are in it', () => {
  const clock = testClock()
  const said: string[] = []
  const logger = {
    warn: ({ reason }: { reason: string }) => said.push(`warn ${reason}`),
    debug: ({ reason }: { reason: string }) => said.push(`debug ${reason}`),
  }
  const say = sayNews(logger, clock, 'There is trouble')
  say('job 17 failed')
  clock.pass(MINUTE)
  say('the disk is full')
  clock.pass(59 * MINUTE)
  say('job 18 failed')
  clock.pass(MINUTE)
  say('job 19 failed')
  clock.pass(HOUR + 1)
  say('job 20 failed')
  expect(said).toEqual([
    'warn job 17 failed',
    'warn the disk is full',
    'debug job 18 failed',
    'debug job 19 failed',
    'warn job 20 failed',
  ])
})
