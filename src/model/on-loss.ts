/** What happens to a value that cannot be carried exactly. */
export type OnLoss = 'error' | 'text' | 'truncate' | 'null';
