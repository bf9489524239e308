/**
 * Whether stories are repeated with other seeds and other guests, which costs minutes and seldom shows what the first did not:
 * `npm test -- --whole`. Every boundary that something is killed at is in the short matrix, too.
 */
export const WHOLE_MATRIX = process.env.ODOROBO_TEST_WHOLE === "1";
