/** A value as the driver takes it. Numbers are always wrapped, so that int32, int64 and double stay apart; documents are Maps, which keep the order of any names. */
export type BsonValue = null | boolean | string | Date | object;
