/**
 * Defects for the simulation to find: those that an older service had, and the code without one of its precautions.
 *
 * Each is a replacement of a text that has to occur exactly once in a file of `src/`; when the code changes, a mutant that
 * does not fit any more says so.
 */
export interface Mutant extends Replacement {
  /** What is wrong then. */
  readonly name: string
  /** The second of two precautions against the same. */
  readonly also?: Replacement
}

export interface Replacement {
  readonly file: string
  readonly text: string
  readonly instead: string
}

export const mutants: readonly Mutant[] = [
  {
    name: 'every charge is rounded for itself',
    file: 'core/credits.ts',
    text: 'return { amount, carry: { digits: micros.digits - amount * powerOfTen(micros.scale), scale: micros.scale } }',
    instead: 'return { amount, carry: { digits: 0n, scale: 0 } }',
  },
  {
    name: 'what is left of a micro-credit is forgotten',
    file: 'billing/biller.ts',
    text: '  draft.carry = charges.at(-1)!.carryOut\n',
    instead: '',
  },
  {
    name: 'a total that fell is stuck for ever',
    file: 'core/decide.ts',
    text: "if (isLagging(state, to)) return { kind: 'stale', conflict: false }",
    instead: "if (state !== undefined) return { kind: 'stale', conflict: false }",
  },
  {
    name: 'a fall is a reset to zero',
    file: 'core/decide.ts',
    text: "if (switched === undefined) return { kind: 'rebased', from, to, state: leftLine(state, to) }",
    instead: `if (switched === undefined)\n    return { kind: 'charged', from: { at: from.at, value: zero }, to, state: leftLine(state, to) }`,
  },
  {
    name: 'two exporters of a site take turns in falling',
    file: 'core/decide.ts',
    text: "if (isLagging(state, to)) return { kind: 'stale', conflict: false }\n",
    instead: '',
  },
  {
    name: 'series are joined by name across sites',
    file: 'core/series.ts',
    text: 'return `${site} ${metric} ',
    instead: 'return `${site.slice(9)} ${metric} ',
  },
  {
    name: 'series are joined by name across domains',
    file: 'core/series.ts',
    text: 'return `${site} ${metric} ${projectId.length} ${projectId} ',
    instead: 'return `${site} ${metric} ${projectId.slice(0, 1)} ',
  },
  {
    name: 'credits and timestamps are written one after the other',
    file: 'publish/perun/publisher.ts',
    text: 'await rpc.call(SET, { ...target, attributes }, () => checkAge(group, write))',
    instead: 'for (const attribute of attributes) await rpc.call(SET, { ...target, attributes: [attribute] })',
  },
  {
    name: 'an error with a type instead of a name crashes the client',
    file: 'publish/perun/rpc.ts',
    text: '  const exception = exceptionOf(body)\n',
    instead: '  const exception = (JSON.parse(body.toString()) as { name: string }).name.toString()\n',
  },
  {
    name: 'the queue of a group has no bound',
    file: 'billing/lanes.ts',
    text: "      lane.again ||= lane.state === 'working'\n      return\n",
    instead: "      lane.again ||= lane.state === 'working'\n",
  },
  {
    name: 'two publishes of a group at once are not noticed',
    file: 'billing/lanes.ts',
    text: `      lane.again ||= lane.state === 'working'\n      return\n`,
    instead: `      lane.again ||= lane.state === 'working'\n`,
    also: {
      file: 'publish/perun/publisher.ts',
      text: 'if ((await ledger.newestIntention(group)) !== newest)',
      instead: 'if (newest < 0)',
    },
  },
  {
    name: 'a value that is about to be written is not recorded',
    file: 'publish/perun/plan.ts',
    text: 'intended: writes.map(',
    instead: 'intended: [] && writes.slice(writes.length).map(',
    also: {
      file: 'publish/perun/publisher.ts',
      text: 'if ((await ledger.newestIntention(group)) !== newest)',
      instead: 'if (newest < 0)',
    },
  },
  {
    name: 'a value that was about to be written is not remembered',
    file: 'publish/perun/drift.ts',
    text: ' && !isOurs(account, shown))',
    instead: ')',
    also: { file: 'publish/perun/drift.ts', text: '(arrived ?? account.published)', instead: 'account.published' },
  },
  {
    name: 'what is about to be written counts as written',
    file: 'publish/perun/publisher.ts',
    text: '    await ledger.settle({ ...settlement, resolved:',
    instead: '    await ledger.settle({ ...settlement, published: { used: plan.shown, sites: [] }, resolved:',
  },
  {
    name: 'our own write is not noted in what was read',
    file: 'publish/perun/publisher.ts',
    text: '      groups.written(site, group, { used, timestamps })\n',
    instead: '',
  },
  {
    name: 'what was read never grows old',
    file: 'publish/perun/groups.ts',
    text: 'if (isWithin(maxAge, known.readAt)) return checked(known)',
    instead: 'if (known.readAt > 0) return checked(known)',
    also: {
      file: 'publish/perun/publisher.ts',
      text: 'return age > options.maxAge || age < 0',
      instead: 'return age > 1e12',
    },
  },
  {
    name: 'the age of what was read is not checked before a write',
    file: 'publish/perun/publisher.ts',
    text: 'return age > options.maxAge || age < 0',
    instead: 'return age > 1e12',
  },
  {
    name: 'used credits that vanished are overwritten',
    file: 'publish/perun/drift.ts',
    text: 'if (shown === undefined && weHavePublished) {',
    instead: "if (shown === undefined && weHavePublished && account.group === '') {",
  },
  {
    name: 'an edit in Perun is overwritten',
    file: 'publish/perun/drift.ts',
    text: 'else if (shown !== undefined && shown !== (expected ?? 0n)',
    instead: 'else if (shown !== undefined && shown < -1n && shown !== (expected ?? 0n)',
  },
  {
    name: 'an edit is added to the total instead of replacing what was shown',
    file: 'publish/perun/drift.ts',
    text: 'amount: shown - (facts.expected ?? 0n),',
    instead: 'amount: shown,',
  },
  {
    name: 'the first contact ignores what another service charged',
    file: 'publish/perun/contact.ts',
    text: 'amount: shown ?? 0n, recordedAt',
    instead: 'amount: 0n, recordedAt',
  },
  {
    name: 'a group that is not charged at a site pays for it',
    file: 'publish/perun/plan.ts',
    text: ".filter(({ contact }) => contact !== 'active')",
    instead: ".filter(({ contact }) => contact === 'not assigned' && sites.length > 9)",
  },
  {
    name: 'published credits are cut off instead of rounded',
    file: 'core/credits.ts',
    text: 'return formatFixed({ digits: divideHalfEven(amount, powerOfTen(SCALE - precision)), scale: precision })',
    instead: 'return formatFixed({ digits: amount / powerOfTen(SCALE - precision), scale: precision })',
  },
  {
    name: 'there is no sweep over dirty groups',
    file: 'publish/outbox.ts',
    text: '    later(SWEEP, () => void sweep())\n',
    instead: '',
  },
  {
    name: 'groups with a write without an answer are not watched',
    file: 'publish/outbox.ts',
    text: 'const inDoubt = watch(await ledger.doubtfulGroups())',
    instead: 'const inDoubt = watch([])',
  },
  {
    name: 'a pause never ends',
    file: 'publish/outbox.ts',
    text: '    lanes().resume()\n',
    instead: '',
  },
  {
    name: 'a login that was refused is never tried again',
    file: 'publish/outbox.ts',
    text: 'const FORBIDDEN_RETRY = 15 * MINUTE',
    instead: 'const FORBIDDEN_RETRY = 15_000 * MINUTE',
  },
  {
    name: 'a hold is looked at once a week',
    file: 'publish/perun/draft.ts',
    text: 'export const HOLD_RETRY = 5 * MINUTE',
    instead: 'export const HOLD_RETRY = 10_000 * MINUTE',
  },
  {
    name: 'a hold does not end',
    file: 'publish/perun/contact.ts',
    text: `  for (const kind of ['unknown group', 'not assigned', 'no grant', 'refused'] as const) release(draft, site, kind)\n`,
    instead: '',
  },
  {
    name: 'the token of a session is not sent back',
    file: 'publish/perun/rpc.ts',
    text: "return token === undefined ? {} : { 'x-xsrf-token': token }",
    instead: 'return {}',
  },
  {
    name: 'an error that comes with status 200 counts as done',
    file: 'publish/perun/rpc.ts',
    text: '    if (isError(result)) throw',
    instead: '    if (method === "" && isError(result)) throw',
  },
  {
    name: 'an answer that is no JSON counts as done',
    file: 'publish/perun/rpc.ts',
    text: "    throw new PerunError(method, 'unavailable', 'not JSON', { cause })",
    instead: '    return cause === undefined',
  },
  {
    name: 'an answer that was cut short counts as all groups',
    file: 'publish/perun/rpc.ts',
    text: '        if (!cutter.isWhole()) throw',
    instead: '        if (!cutter.isWhole() && method === "") throw',
  },
  {
    name: 'an exposition that was cut short is believed',
    file: 'sources/prometheus/scrape.ts',
    text: '  if (!exposition.complete) throw',
    instead: '  if (!exposition.complete && exposition.samples < 0) throw',
    also: {
      file: 'sources/prometheus/exposition.ts',
      text: "    if (!cursor.terminated) return cursor.fail('a line feed')\n",
      instead: '',
    },
  },
  {
    name: 'a late reading is taken for a new one',
    file: 'core/decide.ts',
    text: '  if (to.at <= from.at) return',
    instead: '  if (to.at < 0) return',
  },
  {
    name: 'a reading from the future is believed',
    file: 'core/decide.ts',
    text: '  if (reading.at > circumstances.now + CLOCK_TOLERANCE) return aheadOfTheClock(state, to)\n',
    instead: '',
  },
  {
    name: 'a watermark later than our clock stays',
    file: 'core/decide.ts',
    text: 'if (reading.isOfNow === true && from.at >',
    instead: 'if (reading.isOfNow === true && from.at < 0 && from.at >',
  },
  {
    name: 'the line that a series left is not remembered',
    file: 'core/lines.ts',
    text: 'keepMost([...rememberedLines(state, to.at), left])',
    instead: '[left].slice(1)',
  },
  {
    name: 'only the last line that a series left is remembered',
    file: 'core/lines.ts',
    text: 'keepMost([...rememberedLines(state, to.at), left])',
    instead: '[left]',
  },
  {
    name: 'a return from a dip is charged from its bottom',
    file: 'core/decide.ts',
    text: '  const from: Point = { at: state.watermark.at, value: start }\n',
    instead:
      '  const from: Point = { at: state.watermark.at, value: compare(start, zero) < 0 ? start : state.watermark.value }\n',
  },
  {
    name: 'what was charged during a dip is charged again',
    file: 'core/decide.ts',
    text: '  const accounted = add(former.value, former.charged)',
    instead: '  const accounted = add(former.value, zero)',
  },
  {
    name: 'a site that was weighted anew is charged',
    file: 'core/decide.ts',
    text: 'if (jump !== undefined) return held(jump, jumped(state, to, jump))',
    instead: "if (jump !== undefined && jump !== 'site jump') return held(jump, jumped(state, to, jump))",
  },
  {
    name: 'growth that is held is forgotten',
    file: 'billing/biller.ts',
    text: '  heldGrowths.push({ holdKey: made.key, series, from, to })\n',
    instead: '',
  },
  {
    name: 'growth that is held is charged as well',
    file: 'billing/biller.ts',
    text: '      return hold(draft, decision.reason,',
    instead: '      charge(draft, decision, meter, now)\n      return hold(draft, decision.reason,',
  },
  {
    name: 'an accepted hold charges nothing',
    file: 'billing/holds.ts',
    text: "        if (verdict === 'accept') return accept(",
    instead: "        if (verdict === 'accept' && actor === '') return accept(",
  },
  {
    name: 'a period is not split where the price changes',
    file: 'core/rating.ts',
    text: '    if (next.from <= from || next.from >= usage.to) continue',
    instead: '    if (next.from <= from || next.from >= usage.to || next.from > 0) continue',
  },
  {
    name: 'an entry goes on at another price',
    file: 'core/entries.ts',
    text: 'open.priceVersion === charge.price.version && ',
    instead: '',
  },
  {
    name: 'a transaction is none',
    file: 'ledger/sqlite/ledger.ts',
    text: "    db.exec('BEGIN IMMEDIATE')\n    try {\n      const result = work()\n      db.exec('COMMIT')\n",
    instead: '    try {\n      const result = work()\n',
  },
  {
    name: 'a transaction that failed is left open',
    file: 'ledger/sqlite/ledger.ts',
    text: "      if (db.isTransaction) db.exec('ROLLBACK')\n",
    instead: '',
  },
  {
    name: 'a watermark is not written in the transaction of its charge',
    file: 'ledger/sqlite/recorder.ts',
    text: '    updateSeries.run(...columns, sealOf(',
    instead:
      '    const run = (...row: Parameters<typeof updateSeries.run>) => queueMicrotask(() => updateSeries.run(...row))\n    run(...columns, sealOf(',
  },
  {
    name: 'an instant that a wrong clock passed twice has one name',
    file: 'ledger/sqlite/recorder.ts',
    text: 'id: freeId(posting.entry.id, id) }',
    instead: 'id: posting.entry.id }',
  },
  {
    name: 'an extended entry takes the amount of its last part',
    file: 'ledger/sqlite/recorder.ts',
    text: 'amount = amount + ?, carry_out = ?',
    instead: 'amount = ?, carry_out = ?',
  },
  {
    name: 'a total forgets what it was',
    file: 'ledger/sqlite/recorder.ts',
    text: 'UPDATE groups SET used = used + ?, dirty = 1',
    instead: 'UPDATE groups SET used = max(used, ?), dirty = 1',
  },
  {
    name: 'an account is not kept',
    file: 'ledger/sqlite/recorder.ts',
    text: 'const isAdded = addToAccount.run(amount, group, site, room).changes !== 0',
    instead: 'const isAdded = addToAccount.run(0n * amount, group, site, room).changes !== 0',
  },
  {
    name: 'a group whose total moved is not marked',
    file: 'ledger/sqlite/recorder.ts',
    text: 'SET used = used + ?, dirty = 1 WHERE',
    instead: 'SET used = used + ? WHERE',
  },
  {
    name: 'a group is clean although its total moved on',
    file: 'ledger/sqlite/accounts.ts',
    text: 'UPDATE groups SET dirty = 0 WHERE name = ? AND used = ?',
    instead: 'UPDATE groups SET dirty = 0 WHERE name = ? AND used >= ?',
  },
  {
    name: 'a group is never clean',
    file: 'ledger/sqlite/accounts.ts',
    text: '    if (settlement.dealtWith !== undefined) setClean',
    instead: '    if (settlement.dealtWith === -1n) setClean',
  },
  {
    name: 'an adjustment does not move the total',
    file: 'ledger/sqlite/remarks.ts',
    text: "addToGroup.run(amount, kind === 'opening' ? 1 : 0,",
    instead: "addToGroup.run(kind === 'opening' ? amount : 0n, kind === 'opening' ? 1 : 0,",
  },
  {
    name: 'a notice is not recorded in the transaction of its entry',
    file: 'ledger/sqlite/notices.ts',
    text: "insert({ ...facts, line, ...(entry !== undefined && { entry }) }, isTold ? 'waiting' : 'passed')",
    instead:
      "queueMicrotask(() => insert({ ...facts, line, ...(entry !== undefined && { entry }) }, isTold ? 'waiting' : 'passed'))",
  },
  {
    name: 'who is adjusted twice pays twice',
    file: 'billing/corrections.ts',
    text: 'if (known !== undefined) return { entries: [] }',
    instead:
      'if (known !== undefined) return { entries: [{ kind: `adjustment`, id: `${id} again`, group, amount, recordedAt: now, reason, actor }] }',
  },
  {
    name: 'series of a transaction that failed are remembered',
    file: 'ledger/sqlite/ledger.ts',
    text: '      registry.forget()\n',
    instead: '',
  },
  {
    name: 'series that were recorded are forgotten',
    file: 'ledger/sqlite/ledger.ts',
    text: '      registry.keep()\n',
    instead: '',
  },
  {
    name: 'settlements that failed together are lost',
    file: 'ledger/sqlite/settler.ts',
    text: '      for (const each of batch) writeAlone(each)\n',
    instead: '      for (const each of batch) each.resolve()\n',
  },
  {
    name: 'a target opens as many series as it likes',
    file: 'billing/seriesLimit.ts',
    text: 'if (opening.size < room) {',
    instead: 'if (opening.size >= 0) {',
  },
  {
    name: 'a target that failed is not scraped again',
    file: 'sources/prometheus/loop.ts',
    text: '    while (!this.stopping.signal.aborted) {',
    instead: '    while (!this.stopping.signal.aborted && this.status.failures < 2) {',
  },
  {
    name: 'a delivery that was not recorded counts as recorded',
    file: 'sources/prometheus/loop.ts',
    text: '      const lateness = await deliver(delivery)\n',
    instead: '      const lateness = undefined\n      void deliver(delivery)\n',
  },
]
