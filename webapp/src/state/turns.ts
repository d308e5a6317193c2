/** What a person does in a thread, as plain calls for the views. */

import { opening, turns } from './core';

export type { RunChoice } from './turn_taking';

export const openThread = opening.open.bind(opening);
export const send = turns.send.bind(turns);
export const regenerate = turns.regenerate.bind(turns);
export const edit = turns.edit.bind(turns);
export const editAnswer = turns.editAnswer.bind(turns);
export const stop = turns.stop.bind(turns);
export const compare = turns.compare.bind(turns);
export const keepAnswer = turns.keepAnswer.bind(turns);
export const closeComparison = turns.closeComparison.bind(turns);
export const showSibling = turns.showSibling.bind(turns);
export const forkAt = turns.forkAt.bind(turns);
export const unqueue = turns.unqueue.bind(turns);
