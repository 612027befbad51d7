import { expect, onTestFinished, test, vi } from 'vitest'
import { createGathering } from '#src/publish/gathering.ts'

test('those who come within its time go on together, and later ones by themselves', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const gather = createGathering(10)
  const gone: string[] = []
  const come = (name: string) => void gather().then(() => gone.push(name))
  come('first')
  await vi.advanceTimersByTimeAsync(9)
  come('second')
  expect(gone).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(gone).toEqual(['first', 'second'])
  come('third')
  await vi.advanceTimersByTimeAsync(9)
  expect(gone).toEqual(['first', 'second'])
  await vi.advanceTimersByTimeAsync(1)
  expect(gone).toEqual(['first', 'second', 'third'])
})
