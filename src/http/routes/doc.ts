/** The description of the API. */
import { answerOnce } from '../conditional.ts'
import { describeApi } from '../openapi.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'

/** `GET /api/doc/openapi.json`. @param routes Those that are described, asked for when the first request comes. */
export function openApiRoute(
  { meters, version }: Pick<HttpParts, 'meters' | 'version'>,
  routes: () => readonly Route[],
): Route {
  let text: string | undefined
  return {
    method: 'get',
    path: '/api/doc/openapi.json',
    who: 'all',
    summary: 'This description, for programs',
    answers: {
      200: { description: 'An OpenAPI 3.1 document', json: { type: 'object', examples: [{ openapi: '3.1.1' }] } },
      304: 'It is what If-None-Match names',
    },
    handle(ctx) {
      text ??= JSON.stringify(describeApi({ routes: routes(), meters, version }))
      answerOnce(ctx, text, 'json')
    },
  }
}
