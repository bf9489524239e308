/** The core's digests by the platform's own SHA-256. For every process that may digest much; tests compare both. */
import { hash } from "node:crypto";
import { digestWith } from "../model/digest.ts";

export const useNativeDigests = (): void => digestWith((text) => hash("sha256", text, "hex"));
