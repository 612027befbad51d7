/** What all pages have in common, and how they are answered. */
import type { Context } from 'koa'
import type { Viewer } from '../door.ts'
import { assetAddress } from './assets.ts'
import { tokenField } from './forms.ts'
import { type Html, html } from './html.ts'

export interface Page {
  /** Of the window; the heading is part of the content. */
  readonly title: string
  /** Begins with an `h1`. */
  readonly content: Html
  /** Files of `assets/`, beside the style sheet of all pages. */
  readonly styles?: readonly string[]
  /** Files of `assets/` that run when the page is there. */
  readonly scripts?: readonly string[]
}

/** Only what this worker serves is loaded or run, and nothing that stands in the page itself. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const places = [
  ['/', 'Overview'],
  ['/holds', 'Holds'],
  ['/plan', 'Planner'],
  ['/api/doc', 'API'],
] as const

/** Answers with a page; the status stays as it is set. */
export function answerPage(ctx: Context, page: Page): void {
  ctx.set('Content-Security-Policy', POLICY)
  // Without it browsers send forms as if they came from nowhere.
  ctx.set('Referrer-Policy', 'same-origin')
  ctx.vary('Accept')
  ctx.vary('Cookie')
  ctx.type = 'text/html; charset=utf-8'
  const viewer: Viewer | undefined = ctx.state.viewer
  ctx.body = layout(page, { path: ctx.path, viewer }).text
}

/** See other: what was sent is not sent again when the page is loaded again. */
export function goTo(ctx: Context, address: string): void {
  ctx.body = null
  ctx.status = 303
  ctx.set('Location', address)
}

function layout(
  { title, content, styles = [], scripts = [] }: Page,
  { path, viewer }: { path: string; viewer?: Viewer | undefined },
): Html {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Credits</title>
<link rel="icon" href="${assetAddress('icon.svg')}" type="image/svg+xml">
${['style.css', ...styles].map((file) => html`<link rel="stylesheet" href="${assetAddress(file)}">\n`)}${scripts.map((file) => html`<script src="${assetAddress(file)}" type="module"></script>\n`)}</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<p class="brand"><a href="/">Credits</a></p>
<nav aria-label="Pages"><ul>${places.map(
    ([address, name]) =>
      html`<li><a href="${address}"${isCurrent(address, path) && html` aria-current="page"`}>${name}</a></li>`,
  )}</ul></nav>
${viewer?.role !== undefined && html`<form method="post" action="/logout">${tokenField(viewer)}<button class="quiet">Log out</button></form>`}
</header>
<main id="content" tabindex="-1">
${content}
</main>
</body>
</html>
`
}

function isCurrent(address: string, path: string): boolean {
  return address === '/' ? path === '/' : path === address || path.startsWith(`${address}/`)
}
