/** What the test of replicas finds wrong, if it is wrong. */
import { expect, test } from 'vitest'
import { backwardSteps, meetings } from './replicas/stays.ts'

const stay = (who: string, where: string, begin: number, end?: number) => ({ who, where, begin, end })

test('two meet if both are at the same at the same time, also if one is not the last before the other', () => {
  const long = stay('a', 'x', 0, 100)
  const short = stay('b', 'x', 110, 120)
  expect(meetings([short, long])).toEqual([])
  const within = stay('b', 'x', 50, 60)
  expect(meetings([within, long])).toEqual([[long, within]])
  expect(meetings([long, stay('a', 'x', 10, 20), within])).toEqual([[long, within]])
  const endless = stay('a', 'x', 0)
  expect(meetings([endless, short])).toEqual([[endless, short]])
})

test('one does not meet himself, nor somebody elsewhere', () => {
  expect(meetings([stay('a', 'x', 0, 100), stay('a', 'x', 50, 60), stay('b', 'y', 50, 60)])).toEqual([])
})

test('a step backward is a value that is less than the one before it of the same group', () => {
  const shown = (where: string, used: string) => ({ where, used })
  expect(backwardSteps([shown('x', '9.00'), shown('y', '1.00'), shown('x', '9.00'), shown('x', '10.00')])).toEqual([])
  expect(backwardSteps([shown('x', '10.00'), shown('y', '1.00'), shown('x', '9.00')])).toEqual([
    [shown('x', '10.00'), shown('x', '9.00')],
  ])
})
