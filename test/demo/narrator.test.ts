import { expect, suite, test } from 'vitest'
import { createNarrator } from '#src/demo/narrator.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'

async function setUp() {
  const perun = await startPerun()
  perun.addGroup({ name: 'BioVis', granted: '20000', resources: [1] })
  await perun.close()
  return { perun, narrator: createNarrator(perun) }
}

const report = (used: string, holds: string[] = [], group = 'BioVis') => ({ group, used, holds })

suite('the narrator', () => {
  test('tells what a group used, what that grew by, and what Perun shows of it', async () => {
    const { perun, narrator } = await setUp()
    expect(narrator.tell([report('0')])).toEqual([`  BioVis${' '.repeat(41)}0 credits   not in Perun yet`])
    perun.edit('BioVis', { used: '12.35' })
    expect(narrator.tell([report('12.3456')])).toEqual([
      `  BioVis${' '.repeat(18)}+12.3456         12.3456 credits   Perun shows 12.35 of 20000`,
    ])
  })

  test('tells a group only when it changed', async () => {
    const { narrator } = await setUp()
    const all = [report('1'), report('2', [], 'Other')]
    expect(narrator.tell(all)).toHaveLength(2)
    expect(narrator.tell(all)).toEqual([])
    expect(narrator.tell([report('1'), report('2.5', [], 'Other')])).toEqual([expect.stringContaining('+0.5')])
  })

  test('tells what fell as such', async () => {
    const { narrator } = await setUp()
    narrator.tell([report('5')])
    expect(narrator.tell([report('4.5')])).toEqual([expect.stringMatching(/ -0\.5 +4\.5 credits/)])
  })

  test('tells why a group is not charged', async () => {
    const { narrator } = await setUp()
    expect(narrator.tell([report('3', ['unknown group'], 'UnknownToPerun')])).toEqual([
      expect.stringMatching(/^ {2}UnknownToPerun .* on hold \(unknown group\): recorded, not charged$/),
    ])
  })

  test('tells that some growth of a group is held, and what Perun shows nevertheless', async () => {
    const { perun, narrator } = await setUp()
    perun.edit('BioVis', { used: '3' })
    const told = (used: string, holds: string[]) => narrator.tell([report(used, holds)])[0]!.split('credits   ')[1]
    expect(told('3', ['site jump'])).toBe('Perun shows 3 of 20000, some growth on hold (site jump)')
    expect(told('4', ['implausible growth', 'refused'])).toBe(
      'Perun shows 3 of 20000, some growth on hold (implausible growth), on hold (refused)',
    )
    expect(told('5', ['implausible growth', 'no grant'])).toBe(
      'on hold (implausible growth, no grant): recorded, not charged',
    )
  })

  test('has nothing to tell of no groups', async () => {
    const { narrator } = await setUp()
    expect(narrator.tell([])).toEqual([])
  })
})
