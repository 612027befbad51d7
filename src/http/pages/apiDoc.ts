/**
 * The description of the API for people: a page from the same document that programs get, in which requests can be tried.
 *
 * It is our own and not Swagger UI, which was looked at beside it: that has no dark colours, is wider than a phone, and
 * takes 1.9 MB.
 */
import { describeApi, type MediaType, type OpenApi, type Operation, type Parameter, type Response } from '../openapi.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { anchorOf, type ShownSchema, schemaList, typeOf } from './apiSchema.ts'
import { type Html, html } from './html.ts'
import { answerPage } from './layout.ts'

/** `GET /api/doc`. @param routes Those that are described, asked for when the first request comes. */
export function apiDocRoute(
  { meters, version }: Pick<HttpParts, 'meters' | 'version'>,
  routes: () => readonly Route[],
): Route {
  let content: Html | undefined
  return {
    method: 'get',
    path: '/api/doc',
    who: 'all',
    isForPeople: true,
    summary: 'The description of the API, with requests to try',
    answers: { 200: 'The page' },
    handle(ctx) {
      content ??= contentOf(describeApi({ routes: routes(), meters, version }))
      answerPage(ctx, { title: 'API', content, styles: ['apiDoc.css'], scripts: ['apiDoc.js'] })
    },
  }
}

interface Shown {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

function contentOf({ info, tags, paths, components }: OpenApi): Html {
  const all: Shown[] = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  return html`<h1>API</h1>
<p>${info.description.split('`').map((text, index) => (index % 2 === 1 ? html`<code>${text}</code>` : text))}</p>
<p>Version ${info.version}. Programs get the same as <a href="/api/doc/openapi.json">OpenAPI 3.1</a>.</p>
<div class="card narrow" id="key-card" hidden>
<label for="key">Key for requests that you try</label>
<input id="key" type="password" autocomplete="off" aria-describedby="key-hint">
<p class="hint" id="key-hint">Sent as <code>X-API-KEY</code>. It stays in this page and is forgotten when you leave it. What needs no key works without.</p>
</div>
<ul class="contents" aria-label="On this page">${tags.map(
    ({ name }) => html`<li><a href="#tag-${name}">${name}</a></li>`,
  )}<li><a href="#answers">Answers of all</a></li><li><a href="#schemas">Schemas</a></li></ul>
${tags.map(
  ({ name, description }) => html`<section aria-labelledby="tag-${name}">
<h2 id="tag-${name}">${name}</h2>
<p class="soft">${description}</p>
${all.filter(({ operation }) => operation.tags.includes(name)).map((each) => operationHtml(each, components.responses))}
</section>
`,
)}
<section aria-labelledby="answers">
<h2 id="answers">Answers of all</h2>
<p class="soft">Whoever asks any of the above may get these; each of them says which.</p>
<dl class="answers">${Object.entries(components.responses).map(([name, each]) => commonHtml(name, each))}</dl>
</section>
<section aria-labelledby="schemas">
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas).map(([name, schema]) => namedSchemaHtml(name, schema as ShownSchema))}
</section>`
}

function namedSchemaHtml(name: string, schema: ShownSchema): Html {
  return html`<details class="card operation" id="${anchorOf(name)}">
<summary><code>${name}</code>${schema.description !== undefined && html` <span class="about">${schema.description}</span>`}</summary>
${schemaList(schema)}
</details>
`
}

function operationHtml({ method, path, operation }: Shown, common: OpenApi['components']['responses']): Html {
  const { operationId, summary, parameters, requestBody, responses } = operation
  const who = operation.security[0]?.key?.[0] ?? 'all'
  const own = Object.entries(responses).filter(([, each]) => !('$ref' in each)) as [string, Response][]
  const others = Object.entries(responses).flatMap(([status, each]) =>
    '$ref' in each ? [{ status, name: each.$ref.split('/').at(-1)! }] : [],
  )
  const body = requestBody?.content['application/json']
  return html`<details class="card operation" id="${operationId}">
<summary><span class="method ${method.toLowerCase()}">${method}</span> <code>${path}</code> <span class="tag">${who}</span>
<span class="about">${summary}</span></summary>
${parameters.length > 0 && html`<h3>Parameters</h3><ul class="fields">${parameters.map(parameterHtml)}</ul>`}
${body !== undefined && html`<h3>Body</h3>${schemaList(body.schema as ShownSchema)}${examplesHtml(body, useButton)}`}
<h3>Answers</h3>
<dl class="answers">${own.map(([status, each]) => answerHtml(status, each))}</dl>
<p class="soft">And as all do: ${others.map(
    ({ status, name }, index) =>
      html`${index > 0 && ', '}<a href="#answer-${name}" title="${common[name]!.description}">${status}</a>`,
  )}.</p>
${tryHtml({ method, path, operation }, body)}
</details>
`
}

function parameterHtml({ name, in: place, description, schema }: Parameter): Html {
  return html`<li><code>${name}</code> <span class="soft">${typeOf(schema as ShownSchema)}, in the ${place}</span>
<span class="about">${description}</span></li>`
}

function answerHtml(status: string, { description, headers = {}, content = {} }: Response): Html {
  const media = Object.entries(content).filter(([type]) => type !== 'application/problem+json')
  return html`<div><dt>${status}</dt><dd>${description}${Object.entries(headers).map(
    ([name, each]) => html`<br><code>${name}</code> ${(each as { description: string }).description}`,
  )}${media.map(
    ([
      type,
      each,
    ]) => html`<details class="media"><summary><code>${type}</code> ${typeOf(each.schema as ShownSchema)}</summary>
${schemaList(each.schema as ShownSchema)}${examplesHtml(each)}</details>`,
  )}</dd></div>`
}

function commonHtml(name: string, { description, headers = {} }: Response): Html {
  const told = Object.entries(headers).map(
    ([header, each]) => html`<br><code>${header}</code> ${(each as { description: string }).description}`,
  )
  return html`<div><dt id="answer-${name}">${name}</dt><dd>${description}${told}</dd></div>`
}

/** Puts an example into the form below. */
const useButton = html`<button type="button" class="quiet use" hidden>Use this</button>`

function examplesHtml({ examples }: MediaType, button?: Html): Html {
  return html`${Object.entries(examples).map(([name, { value }]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
    return html`<figure><figcaption>${name === 'example' ? 'Example' : `Example: ${name}`}</figcaption><pre tabindex="0">${text}</pre>${button}</figure>`
  })}`
}

/** A form that the script sends; without scripts there is the description alone. */
function tryHtml({ method, path, operation }: Shown, body: MediaType | undefined): Html {
  const { operationId, parameters } = operation
  const [example] = Object.values(body?.examples ?? {})
  return html`<form class="try" data-method="${method}" data-path="${path}" hidden>
<h3>Try it</h3>
<div class="row">${parameters.map(
    ({ name, in: place, required, example: shown }) => html`<div>
<label for="${operationId}-${name}">${name}</label>
<input id="${operationId}-${name}" name="${name}" data-in="${place}" placeholder="${String(shown)}"${required && html` required`} autocomplete="off">
</div>`,
  )}</div>
${
  example !== undefined &&
  html`<label for="${operationId}-body">Body</label>
<textarea id="${operationId}-body" name="body" rows="8" spellcheck="false">${JSON.stringify(example.value, null, 2)}</textarea>`
}
<button>Send</button>
<div class="result" aria-live="polite"></div>
</form>`
}
