/** What differs between the releases that the double can be: 50.0 to 54.0, and a 55.0 that nobody has seen, as 54.0. The numbers come from release notes and from observation. */

/** How much an answer's status tells: before 53 nearly every error is 500; 53 has 404 for "no VM"; 54 has 400 and 409 too. */
export type Statuses = "blunt" | "no VM is 404" | "classified";

export interface Release {
  /** As vmm.ping reports it: 53.0.0. */
  readonly version: string;
  readonly major: number;
  readonly bodyLimit: number;
  readonly statuses: Statuses;
  /** From 53 on unset fields are left out of answers; before they are null. */
  readonly omitsUnset: boolean;
  /** A lock file beside the API socket; before, a second process on the same path takes the socket away from the first. */
  readonly locksSocket: boolean;
  readonly hasNoShutdown: boolean;
  readonly hasLogFormat: boolean;
  readonly hasSeccompErrno: boolean;
  /** What the guest said on a serial Socket while nobody was connected is kept for the next client. */
  readonly buffersSerial: boolean;
  readonly tellsMigrations: boolean;
  /** vm.send-migration answers when the worker runs; before, when the migration is over. */
  readonly sendReturnsAtOnce: boolean;
  readonly migratesPaused: boolean;
  /** A sender that cannot write the head of a memory request panics. */
  readonly diesOfBrokenPipes: boolean;
  /** A sender that was refused says so, and waits for an answer to that. */
  readonly abandons: boolean;
  /** A receiver that refused its guest answers with an error; before, as if it had come. */
  readonly tellsRefusedArrivals: boolean;
  /** The file of the Unix socket that it received on stays behind. */
  readonly keepsMigrationSocket: boolean;
  readonly resumesOnRestore: boolean;
  readonly hasGenericVhostUser: boolean;
  readonly resizesQcow2: boolean;
  /** A second vm.remove-device of what the guest has not let go yet. */
  readonly secondRemoval: "asks again" | "unknown device" | "panics on NICs";
}

const KIBI = 1024;
const SUPPORTED = { oldest: 50, newest: 55 };

/** `53`, `53.0` or `53.0.0`; throws on anything else than 50 to 54. */
export function releaseOf(text: string): Release {
  const [major = Number.NaN, minor = 0, patch = 0] = text.replace(/^v/, "").split(".").map(Number);
  if (![major, minor, patch].every(Number.isInteger) || major < SUPPORTED.oldest || major > SUPPORTED.newest) {
    throw new Error(`the double can be ${SUPPORTED.oldest}.0 to ${SUPPORTED.newest}.0, not ${text}`);
  }
  return {
    version: `${major}.${minor}.${patch}`,
    major,
    bodyLimit: major >= 54 ? 4 * KIBI * KIBI : 51_200,
    statuses: major >= 54 ? "classified" : major >= 53 ? "no VM is 404" : "blunt",
    omitsUnset: major >= 53,
    locksSocket: major >= 53,
    hasNoShutdown: major >= 52,
    hasLogFormat: major >= 52,
    hasSeccompErrno: major >= 53,
    buffersSerial: major >= 53,
    tellsMigrations: major >= 52,
    sendReturnsAtOnce: major >= 53,
    migratesPaused: major >= 52,
    diesOfBrokenPipes: major < 52,
    abandons: major < 53,
    tellsRefusedArrivals: major >= 53,
    keepsMigrationSocket: major >= 52,
    resumesOnRestore: major >= 52,
    hasGenericVhostUser: major >= 52,
    resizesQcow2: major >= 51,
    secondRemoval: major >= 54 ? "asks again" : major >= 53 ? "unknown device" : "panics on NICs",
  };
}
