/**
 * LOUD: violations that are known and being mended elsewhere. While a name stands here, the simulation looks away from
 * exactly that; the list has to become empty.
 */
export const knownBugs: ReadonlySet<string> = new Set([
  // A group whose total stands still is never read again, so an edit of it is seen at its next growth only.
  'an edit of an idle group is not looked for',
])
