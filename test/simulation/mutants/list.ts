/** All mutants, in the order of what they break: from scrapes to Perun. */
import { charging } from './charging.ts'
import type { Mutant } from './mutant.ts'
import { publishing } from './publishing.ts'
import { scraping } from './scraping.ts'
import { storing } from './storing.ts'

export const mutants: readonly Mutant[] = [...scraping, ...charging, ...storing, ...publishing]
