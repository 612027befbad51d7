/** The levels of the log, to look at and to change while the worker runs. */
import { SECOND } from '../../core/time.ts'
import { levelNames } from '../../telemetry/logger.ts'
import { readJson } from '../json.ts'
import { readLogChange } from '../logChange.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { changedLogLevels, logChange, logLevels } from '../schemas/worker.ts'

/** `GET /logconfig` */
export function showLogLevelsRoute({ logging }: Pick<HttpParts, 'logging'>): Route {
  return {
    method: 'get',
    path: '/logconfig',
    who: 'operator',
    summary: 'The levels of all loggers',
    answers: { 200: { description: 'The levels in force, and which ones there are', json: logLevels } },
    handle(ctx) {
      ctx.body = { levels: logging.levels(), known_levels: levelNames }
    },
  }
}

/** `POST /logconfig`: all of it or nothing. */
export function changeLogLevelsRoute({ logging, logger }: Pick<HttpParts, 'logging' | 'logger'>): Route {
  return {
    method: 'post',
    path: '/logconfig',
    who: 'operator',
    summary: 'Changes levels of the log, for good or for a time',
    body: logChange,
    answers: {
      200: { description: 'The levels now in force', json: changedLogLevels },
      400: 'Nothing changed, with the reason',
    },
    async handle(ctx) {
      const { levels, forMs, ignored } = readLogChange(await readJson(ctx))
      const seconds = forMs === undefined ? null : forMs / SECOND
      logger.info({ levels: Object.fromEntries(levels), seconds }, 'Levels of the log are changed')
      for (const [name, level] of levels) logging.setLevel(name, level, forMs)
      ctx.body = { levels: logging.levels(), for_seconds: seconds, ignored }
    },
  }
}
