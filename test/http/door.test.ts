import { expect, suite, test } from 'vitest'
import type { Asked } from '#src/http/auth.ts'
import { createDoor } from '#src/http/door.ts'
import { testClock } from '../helpers/billing.ts'

const door = () => createDoor({ keys: { operator: 'o', reader: 'r' }, clock: testClock(), guard: (gate) => gate })

function asked(cookie?: string): Asked {
  return { headers: cookie === undefined ? {} : { cookie }, socket: { remoteAddress: '192.0.2.1' } }
}

const enter = (at: ReturnType<typeof door>, key: string) => at.enter(key, asked()).split(';')[0]!

suite('A door', () => {
  test('knows a session by its cookie among others, and what its key opens', () => {
    const here = door()
    const [operator, reader] = [enter(here, 'o'), enter(here, 'r')]
    expect(here.viewer(asked(operator)).role).toBe('operator')
    expect(here.viewer(asked(`a=b; ${reader}; c=d`)).role).toBe('reader')
  })

  test.each(['', 'credits_session=', `credits_session=${'x'.repeat(43)}`, `credits_session=${'x'.repeat(10_000)}`])(
    'knows nobody by %j',
    (cookie) => {
      expect(door().viewer(asked(cookie)).role).toBeUndefined()
    },
  )

  test('knows no sessions of another run of the program', () => {
    expect(door().viewer(asked(enter(door(), 'o'))).role).toBeUndefined()
  })

  test('gives each session a token of its own, always the same', () => {
    const here = door()
    const [one, other] = [enter(here, 'o'), enter(here, 'o')]
    const tokens = [one, one, other, undefined].map((cookie) => here.viewer(asked(cookie)).token)
    expect(tokens[0]).toBe(tokens[1])
    expect(new Set(tokens).size).toBe(3)
  })

  test('forgets the oldest session when there are more than a thousand', () => {
    const here = door()
    const [first, second] = [enter(here, 'r'), enter(here, 'r')]
    for (let count = 0; count < 999; count += 1) enter(here, 'o')
    expect([first, second].map((cookie) => here.viewer(asked(cookie)).role)).toEqual([undefined, 'reader'])
  })

  test('opens for no key that is empty', () => {
    const open = createDoor({ keys: { operator: '' }, clock: testClock(), guard: (gate) => gate })
    expect(open.hasKeys).toBe(false)
    expect(() => enter(open, '')).toThrow('not known here')
  })
})
