/**
 * Loaded into a worker with `--import`: its clock is wrong by as many milliseconds as the file that CLOCK_OFFSET names says,
 * read anew with each look at the clock. Timers go right, as they do when the clock of a machine is set.
 */
import { readFileSync } from 'node:fs'

const file = process.env.CLOCK_OFFSET!
const realNow = Date.now
Date.now = () => realNow() + Number(readFileSync(file, 'utf8'))
