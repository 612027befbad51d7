/** What people do about a hold of each kind, in a sentence. */
import type { HoldKind } from '../../ledger/ledger.ts'

export const holdAdvice: Readonly<Record<HoldKind, string>> = {
  'implausible growth': 'Find out what the exporter did or what the project started, then accept or dismiss it.',
  'unclear after a fall':
    'Wait a little: it ends when the total is back where it fell from. Else accept or dismiss it.',
  'site jump': 'Dismiss it if there is a new weight table or another start date; accept it if it was consumed.',
  'unit switched': 'Correct the exporter, and it ends by itself. Or correct unit and price, then dismiss it.',
  'series merged': 'Dismiss it if projects were merged or renamed, accept it if it was consumed.',
  'clock ahead': 'Check NTP on both machines. It ends by itself.',
  'too many series': 'Find out why there are so many; raise OS_CREDITS_MAX_SERIES if all of them are real.',
  'unknown group': 'Create the group in Perun, or leave the project uncharged. It ends by itself.',
  'not assigned': 'Assign the group to the resource in Perun. It ends by itself.',
  'no grant': 'Set the granted credits in Perun. It ends by itself.',
  'used credits missing': 'Set the used credits in Perun, 0 if you mean it. It ends by itself.',
  refused: 'Do what its reason says. It is tried again every 5 minutes.',
}
