/** The merged cloudInit of a VM → what its spec is made from: words became a text, and each text its digest. */
import type { Digest } from "../../../model/names.ts";
import type { ReportField } from "../../text/source-document.ts";
import type { LayerValues } from "../layer.ts";
import type { UserTexts } from "../user-texts.ts";
import { composeUserData, type GuestFile, hasWords, isMultipart, kindOf } from "./compose.ts";

type Merged = NonNullable<LayerValues["cloudInit"]>;

/** `kept`: called for each text that was made, so that it is there for the agent. The very same values where nothing is to be made. */
export function resolveCloudInit(
  values: LayerValues,
  texts: UserTexts,
  report: ReportField,
  kept: (text: string, digest: Digest) => void,
): LayerValues {
  const { cloudInit } = values;
  if (cloudInit == null || !(hasWords(cloudInit) || cloudInit.metaData != null)) return values;
  const keep = (text: string): Digest => {
    const digest = texts.keep(text);
    kept(text, digest);
    return digest;
  };
  const { user, metaData, instance, sshKeys, networkConfig, vendorData } = cloudInit;
  const rest = { user, instance, sshKeys, networkConfig, vendorData };
  const said = Object.entries(rest).filter(([, value]) => value !== undefined);
  return {
    ...values,
    cloudInit: {
      ...(Object.fromEntries(said) as Merged),
      userData: hasWords(cloudInit) ? userDataOf(cloudInit, texts, report, keep) : (cloudInit.userData ?? null),
      ...(metaData == null ? {} : { metaDataText: keep(`${JSON.stringify(metaData)}\n`) }),
    },
  };
}

function userDataOf(
  cloudInit: Merged,
  texts: UserTexts,
  report: ReportField,
  keep: (text: string) => Digest,
): Digest | null {
  if (cloudInit.password && cloudInit.user == null)
    report(["cloudInit", "password"], {
      code: "missing-field",
      message: "this password is nobody's",
      hint: "say whose it is: cloudInit.user",
    });
  const raw = cloudInit.userData == null ? null : (texts.text(cloudInit.userData) ?? null);
  if (raw !== null && (isMultipart(raw) || kindOf(raw) === null)) {
    report(["cloudInit", "userData"], {
      code: "conflicting-fields",
      message: isMultipart(raw)
        ? "user data in parts cannot be joined with what cloudInit says in words"
        : "user data that cloud-init does not know cannot be joined with what cloudInit says in words",
      hint: isMultipart(raw)
        ? "say all of it in the parts, or none of it"
        : "its first line says what it is: #cloud-config, or #! and a program",
    });
    return cloudInit.userData ?? null;
  }
  const files = (cloudInit.files ?? []).map(
    ({ content, contentDigest, ...file }): GuestFile => ({
      ...file,
      content: contentDigest === undefined ? (content ?? "") : (texts.text(contentDigest) ?? ""),
    }),
  );
  return keep(composeUserData({ ...cloudInit, files }, raw));
}
