/**
 * PORT: where a group's credits are shown.
 *
 * What every publisher promises:
 * - It shows what the ledger says when it is asked, as absolute values: publishing twice is harmless.
 * - It writes nothing when nothing changed.
 * - It never overwrites what it did not write itself without recording the difference first.
 * - A group it cannot publish is a hold with a reason; it keeps no other group from being published.
 */

/** What publishing a group came to. */
export type PublishOutcome =
  | { readonly kind: 'written'; readonly writes: number }
  /** What is shown is right already. */
  | { readonly kind: 'unchanged' }
  /** There is a hold; it is looked at again later. */
  | { readonly kind: 'held' }
  /** Not now: the group is to be tried again. `everyone` if no other group can be published either. */
  | { readonly kind: 'unavailable'; readonly reason: string; readonly everyone: boolean }
  /** We may not: nothing can be published until a person acts. */
  | { readonly kind: 'forbidden'; readonly reason: string }

export interface Publisher {
  /**
   * Brings what is shown of a group to what the ledger says. Never called twice at a time for one group.
   *
   * @param look Whether it is looked at although the ledger knows of nothing to show: another worker found that it is changed.
   */
  publish(group: string, look?: boolean): Promise<PublishOutcome>
  /**
   * Looks at all groups that are shown, whether they grow or not, and returns those that show something else than they
   * should, because somebody changed it. Publishing one of them deals with it. What cannot be read now is left out.
   */
  survey(): Promise<readonly string[]>
  close(): Promise<void>
}
