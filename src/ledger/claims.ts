/** PORT, a part of a ledger that several workers share: which of them scrapes a target. */

/** Held until it is released, or until the ledger is lost: from then on another worker may have it. */
export interface Claim {
  /** Aborts when it is lost. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

export interface Claims {
  /** Returns `undefined` if it is claimed already. Nobody waits: ask again later. */
  claim(target: string): Promise<Claim | undefined>
}
