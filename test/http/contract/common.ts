/** Requests that produce the statuses that routes have in common, made from one that works. */
import { type Answer, type Face, type Question, startFace } from '../server.ts'
import type { Asked } from './requests.ts'
import { asOperator, keys, startBroken, startInTrouble, type World } from './world.ts'

type Send = (asked: Asked, method: string, world: World) => Promise<Answer>

/** Sends it to another server than that of the world. */
async function elsewhere(start: () => Promise<Face>, path: string, ...questions: Question[]): Promise<Answer> {
  await using face = await start()
  const answers: Answer[] = []
  for (const question of questions) answers.push(await face.ask(path, question))
  return answers.at(-1)!
}

export const common: Readonly<Record<number, Send>> = {
  400: ({ path, body }, method, { face }) =>
    face.ask(`${path}${path.includes('?') ? '&' : '?'}x=%`, { method, body, headers: asOperator }),
  401: ({ path, body }, method, { face }) => face.ask(path, { method, body, headers: { 'X-API-KEY': 'wrong' } }),
  403: ({ path, body }, method) =>
    elsewhere(() => startFace(), path, { method, body, headers: { 'X-Forwarded-For': '192.0.2.1' } }),
  405: ({ path }, _, { face }) => face.ask(path, { method: 'DELETE', headers: asOperator }),
  413: ({ path }, method, { face }) =>
    face.ask(path, { method, headers: asOperator, body: { reason: 'x'.repeat(1_048_577) } }),
  415: ({ path }, method, { face }) =>
    face.ask(path, { method, headers: { ...asOperator, 'Content-Type': 'text/plain' }, body: 'x' }),
  // Pushes are not counted, but wrong keys are.
  429: ({ path, body, headers = asOperator }, method) => {
    const wrong = { method, body, headers: { ...headers, 'X-API-KEY': 'wrong' } }
    return elsewhere(() => startFace({ keys, rateLimit: 1 }), path, wrong, wrong, { method, body, headers })
  },
  431: ({ path }, method, { face }) => face.ask(path, { method, headers: { ...asOperator, ...manyHeaders } }),
  500: ({ path, body }, method) => elsewhere(startBroken, path, { method, body }),
  503: ({ path, body }, method) => elsewhere(startInTrouble, path, { method, body }),
}

const manyHeaders = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, 'x']))
