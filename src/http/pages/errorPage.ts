/** What a person with a browser sees instead of a problem document. */
import type { Context } from 'koa'
import type { Problem } from '../errors.ts'
import { html } from './html.ts'
import { answerPage, goTo } from './layout.ts'

/** Answers with a page, or with the way to it if a key opens it; `false` if it was a program that asked. */
export function showErrorPage(ctx: Context, { title, status, detail, task }: Problem): boolean {
  if (!isPerson(ctx)) return false
  if (status === 401 && ctx.method === 'GET') {
    ctx.remove('WWW-Authenticate')
    goTo(ctx, `/login?${new URLSearchParams({ next: ctx.url })}`)
    return true
  }
  const canLogIn = status === 401 || status === 403
  answerPage(ctx, {
    title,
    content: html`<h1>${title}</h1>
<p>${detail}</p>
${canLogIn && html`<p><a href="/login">Log in</a>, perhaps with another key.</p>`}
${task !== undefined && html`<p class="hint">In the log this is the task <code>${task}</code>.</p>`}`,
  })
  return true
}

/** Whether somebody asked with a browser, and not for something that programs ask for. */
function isPerson(ctx: Context): boolean {
  const isForPeople: boolean = ctx.state.isForPeople ?? !ctx.path.startsWith('/api/')
  return isForPeople && ctx.accepts('json', 'html') === 'html'
}
