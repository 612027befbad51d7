/** What people were told, and muting a group, typed at a real worker's face. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { T0 } from '../helpers/billing.ts'
import { startFace } from '../http/server.ts'
import { typed } from './commandLine.ts'

async function open() {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  await face.record({ project: 'bio', at: T0, value: '10' })
  return { face, ask: (...words: string[]) => typed(words, { OS_CREDITS_URL: face.url }) }
}

suite('notices', () => {
  test('are listed with whom was told and when, or why not', async () => {
    const { face, ask } = await open()
    expect((await ask('notices')).stdout).toBe('No notices.\n')
    await face.ledger.notice({ group: 'bio', kind: 'runs out', line: 14, granted: '200', used: 160_500_000n, at: T0 })
    const [notice] = await face.ledger.notices({ limit: 1 })
    const to = [{ channel: 'mail', to: 'ada@example.org' } as const]
    await face.ledger.addressNotice(notice!.id, { at: T0, to, state: 'addressed' })
    const { stdout } = await ask('notices', 'bio')
    expect(stdout).toMatch(
      /^ +1 +2026-01-01 00:00:00 +bio +within 14 days +160\.5 +200 +addressed +ada@example\.org: gathering$/m,
    )
    await face.record({ project: 'others', at: T0, value: '10' })
    expect((await ask('notices', 'others')).stdout).toBe('No notices.\n')
    const unknown = { code: 1, stdout: '', stderr: 'There is no group "nobody". (HTTP 404 Not Found)\n' }
    expect(await ask('notices', 'nobody')).toEqual(unknown)
    expect(await ask('notices', 'nobody', '--json')).toMatchObject({ code: 1 })
    const { text } = await face.get('/api/notices?group=bio&limit=1000')
    expect((await ask('notices', 'bio', '--json')).stdout).toBe(`${text}\n`)
  })
})

suite('mute', () => {
  test('is taken back by unmute; both say what they do and who did it before', async () => {
    const { face, ask } = await open()
    const muted = await ask('mute', 'bio', '--reason', 'They asked', '--actor', 'jane', '--yes')
    expect([muted.code, muted.stdout]).toEqual([0, 'bio is muted.\n'])
    expect(muted.stderr).toContain('Nobody will be told of its credits')
    expect(await face.ledger.muted('bio')).toMatchObject({ actor: 'jane', reason: 'They asked' })
    expect((await ask('notices', 'bio')).stderr).toBe('Muted since 2026-01-01 00:00:00 UTC by jane: They asked\n')
    const told = await ask('unmute', 'bio', '--reason', 'They want it back', '--yes')
    expect([told.code, told.stdout]).toEqual([0, 'The people of bio are told again.\n'])
    expect(told.stderr).toContain('Muted since 2026-01-01 00:00:00 UTC by jane: They asked')
    expect(await face.ledger.muted('bio')).toBeUndefined()
  })

  test('does nothing without a yes, without a reason, or for no group', async () => {
    const { face, ask } = await open()
    expect((await ask('mute', 'bio', '--reason', 'x')).code).toBe(64)
    expect((await ask('mute', 'bio', '--yes')).code).toBe(64)
    expect((await ask('mute', 'nobody', '--reason', 'x', '--yes')).code).toBe(1)
    expect(await face.ledger.muted('bio')).toBeUndefined()
  })
})
