/**
 * How good forecasts are: a back-test on made-up groups, beside the two ways of drawing a line through the past.
 *
 *   node bench/forecast.ts [groups of each family=1000]
 *
 * The constants of src/core/forecast/ were chosen on the groups with the seeds from `TUNED`; what counts is printed for
 * groups that were not looked at then. Ends with exit code 1 if a band does not hold what it promises, or a line is better.
 */
import { backTest, lengths, meanErrors, RUNS_OUT, shareOf, type Trial, whats } from './backTest.ts'
import { FUTURE_DAYS, families } from './histories.ts'
import { describeMachine, table } from './report.ts'

const perFamily = Number(process.argv[2] ?? 1_000)
const [TUNED, FRESH] = [1_000_000, 30_000_000]
const begun = performance.now()
const tuned = backTest(TUNED, perFamily)
const fresh = backTest(FRESH, perFamily)
const each = (performance.now() - begun) / (2 * perFamily * Object.keys(families).length)

console.log(`Back-test of forecasts on ${perFamily} made-up groups of each family. ${describeMachine()}`)
console.log(
  'Within: how often the truth lies in the 80 % band. Errors: the mean distance from the truth, for used credits in',
)
console.log(`average days per day ahead, for running out in days (more than ${FUTURE_DAYS} count as ${FUTURE_DAYS}).`)
console.log()
table([
  ['groups', 'what', 'within', 'below', 'above', 'error', 'since start', 'last 7 days'],
  ...whats.map((what) => row('chosen on', what, tuned)),
  ...whats.map((what) => row('all others', what, fresh)),
  ...Object.keys(families).flatMap((name) =>
    whats.map((what) =>
      row(
        name,
        what,
        fresh.filter(({ family }) => family === name),
      ),
    ),
  ),
  ...lengths.flatMap(({ name }) =>
    whats.map((what) =>
      row(
        name,
        what,
        fresh.filter(({ length }) => length === name),
      ),
    ),
  ),
])
console.log()
console.log(`${each.toFixed(2)} ms for each group: to make it up, to forecast, to compare.`)
for (const what of whats) {
  const trials = fresh.filter((trial) => trial.what === what)
  const [within, [ours, start, week]] = [shareOf('within', trials), meanErrors(trials)]
  const holds = within >= 0.78 && within <= 0.82 && ours < Math.min(start, week)
  console.log(`${what}: ${holds ? 'holds' : 'FAILS'} (78 to 82 % within the band, a smaller error than either line)`)
  if (!holds) process.exitCode = 1
}

function row(groups: string, what: string, all: readonly Trial[]): string[] {
  const trials = all.filter((trial) => trial.what === what)
  const shares = (['within', 'below', 'above'] as const).map(
    (which) => `${(100 * shareOf(which, trials)).toFixed(1)} %`,
  )
  return [groups, what, ...shares, ...meanErrors(trials).map((error) => error.toFixed(what === RUNS_OUT ? 1 : 3))]
}
