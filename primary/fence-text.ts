/** Why a node is fenced, in words for its journal and its last message. */

export const FENCE_TEXT: Readonly<Record<string, string>> = {
  'generation-taken':
    'the arbiter knows an earlier life of this machine; start a backup of it, or use another ' +
    '--machine-id',
  'lost-arbitration': 'the backup has taken over; this node says nothing more',
  'newer-epoch': 'a newer epoch of this machine exists; this node says nothing more',
};
