/** Defects of the ledger: `ledger/`. */
import type { Mutant } from './mutant.ts'

export const storing: readonly Mutant[] = [
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
    text: '    store.save(id, change, end)',
    instead: '    queueMicrotask(() => store.save(id, change, end))',
  },
  {
    name: 'an instant that a wrong clock passed twice has one name',
    file: 'ledger/sqlite/recorder.ts',
    text: 'isTaken(error) ? freeId(entry.id, seriesId) : undefined',
    instead: 'undefined',
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
    name: 'an entry that ends is not added to its day',
    file: 'ledger/sqlite/recorder.ts',
    text: '    if (closes && open !== undefined) closed.push(open.number)\n',
    instead: '',
  },
  {
    name: 'an entry that is followed by another is not added to its day',
    file: 'ledger/sqlite/recorder.ts',
    text: '        if (open !== undefined) closed.push(open.number)\n',
    instead: '',
  },
  {
    name: 'an entry that an adjustment ends is not added to its day',
    file: 'ledger/sqlite/remarks.ts',
    text: '      days.addOpen(group)\n',
    instead: '',
  },
  {
    name: 'an adjustment leaves the open entries open',
    file: 'ledger/sqlite/remarks.ts',
    text: '      for (const { id } of closeEntries.all(group)) store.drop(Number(id))\n',
    instead: '',
  },
]
