/** What a source needs where several workers share its targets: each of them is scraped by one at a time. */

/** That this process is the one that scrapes a target, until it releases it or loses it. */
export interface Turn {
  /** Aborts when somebody else may scrape it: what is under way ends at once, and nothing of it is delivered. */
  readonly lost: AbortSignal
  /** Aborts when somebody else is to have it, once nothing is under way. */
  readonly ending: AbortSignal
  /** To be called when nothing is under way any more, also if it was lost. Never rejects. */
  release(): Promise<void>
}

/** Who scrapes a target, as far as this process knows. */
export type Scraper =
  | { readonly kind: 'here' }
  | { readonly kind: 'elsewhere'; readonly id: number; readonly name: string }
  | { readonly kind: 'nobody'; readonly reason: string }

export interface Turns {
  /**
   * Waits until this process may scrape a target.
   *
   * @param url Names the target; to be waited for by one at a time.
   * @returns `undefined` once `signal` is aborted.
   */
  next(url: string, signal: AbortSignal): Promise<Turn | undefined>
  scraperOf(url: string): Scraper
}
