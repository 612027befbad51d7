/** Defects of what scrapes: `sources/`. */
import type { Mutant } from './mutant.ts'

export const scraping: readonly Mutant[] = [
  {
    name: 'an exposition that was cut short is believed',
    file: 'sources/prometheus/scrape.ts',
    text: '  if (!exposition.complete) throw',
    instead: '  if (!exposition.complete && exposition.samples < 0) throw',
    also: {
      file: 'sources/prometheus/lineReader.ts',
      text: "    if (!cursor.terminated) return cursor.fail('a line feed')\n",
      instead: '',
    },
  },
  {
    name: 'a target that failed is not scraped again',
    file: 'sources/prometheus/loop.ts',
    text: '    while (!this.pausing.aborted) {',
    instead: '    while (!this.pausing.aborted && this.status.failures < 2) {',
  },
  {
    name: 'a delivery that was not recorded counts as recorded',
    file: 'sources/prometheus/loop.ts',
    text: 'const lateness = await deliver(delivery)',
    instead: 'const lateness = void deliver(delivery)',
  },
]
