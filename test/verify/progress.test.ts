import { expect, suite, test } from 'vitest'
import { createProgress } from '#src/verify/progress.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, written, write: (text: string) => written.push(text) }
}

suite('progress', () => {
  test('is one line of a terminal that is written again and again, and gone in the end', () => {
    const screen = terminal(true)
    const progress = createProgress(screen)
    progress.tell('seals', 0, 0)
    progress.tell('entries', 0, 4_000_000)
    progress.tell('entries', 1_000_000, 4_000_000)
    progress.clear()
    const lines = screen.written.map((text) => text.replace('\r\u001b[K', ''))
    expect(lines).toEqual([
      'seals: …',
      expect.stringMatching(/^entries: 0 % of 4,000,000/),
      expect.stringMatching(/^entries: 25 % of 4,000,000, [\d,]+\/s$/),
      '',
    ])
  })

  test('is not told to a file or a pipe', () => {
    const pipe = terminal(false)
    createProgress(pipe).tell('entries', 1, 2)
    createProgress(pipe).clear()
    expect(pipe.written).toEqual([])
  })
})
