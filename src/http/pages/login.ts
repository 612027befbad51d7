/** Coming in with a key, and going out again. */
import type { Door } from '../door.ts'
import { WrongKeyError } from '../errors.ts'
import { queryText, type Route, type RouteContext } from '../route.ts'
import { readForm, tokenField } from './forms.ts'
import { html } from './html.ts'
import { answerPage, goTo } from './layout.ts'

/** `GET /login?next=…`: where the key is asked for. */
export function showLoginRoute(door: Door): Route {
  return {
    method: 'get',
    path: '/login',
    who: 'all',
    isForPeople: true,
    summary: 'Asks for a key',
    query: { next: 'Where to go then' },
    answers: { 200: 'The page', 303: 'To where to go, with a session already' },
    handle(ctx) {
      const next = ownAddress(queryText(ctx, 'next'))
      if (ctx.state.viewer.role !== undefined) return goTo(ctx, next)
      // From a link on another site browsers do not send the cookie; from this page, which that leads to, they do.
      if (/^(cross|same)-site$/.test(ctx.get('Sec-Fetch-Site'))) ctx.set('Refresh', '0')
      showLogin(ctx, door, next)
    },
  }
}

/** `POST /login`: begins a session. */
export function loginRoute(door: Door): Route {
  return {
    method: 'post',
    path: '/login',
    who: 'all',
    isForPeople: true,
    summary: 'Begins a session with a key',
    body: 'A form with key and next',
    answers: { 303: 'To where to go, with a cookie', 401: 'The key is wrong' },
    async handle(ctx) {
      const form = await readForm(ctx)
      const next = ownAddress(form.get('next') ?? undefined)
      try {
        ctx.set('Set-Cookie', door.enter((form.get('key') ?? '').trim(), ctx.req))
        goTo(ctx, next)
      } catch (error) {
        if (!(error instanceof WrongKeyError)) throw error
        ctx.status = error.status
        showLogin(ctx, door, next, 'This key is not known here.')
      }
    },
  }
}

/** `POST /logout`: ends the session. */
export function leaveRoute(door: Door): Route {
  return {
    method: 'post',
    path: '/logout',
    who: 'all',
    isForPeople: true,
    summary: 'Ends the session',
    answers: { 303: 'To the page that asks for a key' },
    async handle(ctx) {
      await readForm(ctx)
      ctx.set('Set-Cookie', door.leave(ctx.req))
      goTo(ctx, '/login')
    },
  }
}

function showLogin(ctx: RouteContext, { hasKeys }: Door, next: string, problem?: string): void {
  const form = html`<form method="post" action="/login" class="card narrow">
${tokenField(ctx.state.viewer)}
<input type="hidden" name="next" value="${next}">
${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
<label for="key">Key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus${
    problem !== undefined && html` aria-invalid="true" aria-describedby="problem"`
  }>
<p class="hint">The key of an operator (<code>API_KEY</code>) or of a reader (<code>API_READER_KEY</code>). It is not kept: the browser gets a session for 12 hours.</p>
<button>Log in</button>
</form>`
  const none = html`<p>No keys are set, so there is nothing to log in with: on the machine of the worker all pages are open.</p>`
  answerPage(ctx, { title: 'Log in', content: html`<h1>Log in</h1>${hasKeys ? form : none}` })
}

/** An address on this worker, whatever was asked for: nobody is sent elsewhere by a link to our page. */
function ownAddress(address = '/'): string {
  const origin = 'http://here.invalid'
  const url = /^\/(?![/\\])/.test(address) ? URL.parse(address, origin) : null
  return url?.origin === origin ? `${url.pathname}${url.search}` : '/'
}
