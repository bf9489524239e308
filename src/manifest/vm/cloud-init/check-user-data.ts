/**
 * Whether cloud-init would understand what is written in its own words: a header that it knows, YAML that can be read, keys that mean
 * something. The text may hold secrets: where it is wrong is said by its line, and nothing of it is quoted but a key that is nearly a known one.
 */
import { parseDocument } from "yaml";
import type { Digest } from "../../../model/names.ts";
import { nearest } from "../../../model/nearest.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Finding, ReportField } from "../../text/source-document.ts";
import type { UserTexts } from "../user-texts.ts";
import { isMultipart, kindOf } from "./compose.ts";

/** Reading it costs a moment for each KiB, and a longer one is made by a program. */
const READ_AT_MOST = 256 * 1024;

export class UserDataCheck {
  readonly #texts: UserTexts;
  /** Thousands of VMs share few texts. */
  readonly #known = new Map<Digest, readonly Finding[]>();

  constructor(texts: UserTexts) {
    this.#texts = texts;
  }

  check({ cloudInit }: Pick<VmSpec, "cloudInit">, report: ReportField): void {
    for (const field of ["userData", "vendorData"] as const) {
      const digest = cloudInit?.[field];
      if (digest == null) continue;
      for (const finding of this.#findings(digest)) report(["cloudInit", field], finding);
    }
  }

  #findings(digest: Digest): readonly Finding[] {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const findings = checkUserData(this.#texts.text(digest) ?? "#cloud-config\n");
    this.#known.set(digest, findings);
    return findings;
  }
}

/** Pure. */
export function checkUserData(text: string): readonly Finding[] {
  if (isMultipart(text)) return [];
  const kind = kindOf(text);
  if (kind === null)
    return [
      {
        severity: "warning",
        code: "no-effect",
        message: "cloud-init does not know what this is, and does nothing with it",
        hint: "its first line says it: #cloud-config, #! and a program, #include, or Content-Type: multipart/mixed",
      },
    ];
  if (kind !== "text/cloud-config" || text.length > READ_AT_MOST) return [];
  const document = parseDocument(text, { uniqueKeys: false, logLevel: "silent", prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const line = text.slice(0, error.pos[0]).split("\n").length;
    return [
      {
        code: "bad-value",
        message: `this is no YAML: line ${line} of it cannot be read (${error.code.toLowerCase().replaceAll("_", " ")})`,
        hint: "cloud-init would do nothing of it: cloud-init schema --config-file FILE says more",
      },
    ];
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch {
    return [];
  }
  if (content === null) return [];
  if (typeof content !== "object" || Array.isArray(content))
    return [
      {
        code: "bad-value",
        message: "this is no map of cloud-init's keys",
        hint: "such as packages: [nginx]",
      },
    ];
  return Object.keys(content).flatMap((key): Finding[] => {
    if (KEYS.has(key)) return [];
    const near = nearest(key, [...KEYS]);
    return near === null
      ? []
      : [
          {
            severity: "warning",
            code: "no-effect",
            message: `cloud-init knows no key such as one that is here, nearly ${near}`,
            hint: `did you mean ${near}?`,
          },
        ];
  });
}

/** Top-level keys of cloud-config, of cloud-init 22.4 to 25.1. Modules of one's own may know others: only what is nearly one of these is told. */
const KEYS: ReadonlySet<string> = new Set(
  `allow_public_ssh_keys ansible apk_repos apt apt_pipelining apt_preserve_sources_list apt_reboot_if_required apt_update apt_upgrade
  authkey_hash autoinstall bootcmd byobu_by_default ca-certs ca_certs chef chpasswd cloud_config_modules cloud_final_modules
  cloud_init_modules create_hostname_file datasource datasource_list debug device_aliases disable_ec2_metadata disable_root disable_root_opts
  disk_setup drivers fan final_message fqdn fs_setup groups growpart grub-dpkg grub_dpkg hostname keyboard landscape launch-index locale
  locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective merge_how merge_type migrate mount_default_fields mounts network
  no_ssh_fingerprints ntp output package_reboot_if_required package_update package_upgrade packages password phone_home power_state
  prefer_fqdn_over_hostname preserve_hostname puppet random_seed reporting resize_rootfs resolv_conf rh_subscription rsyslog runcmd
  salt_minion snap spacewalk ssh ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id
  ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen swap syslog_fix_perms system_info timezone
  ubuntu_advantage ubuntu_pro unverified_modules updates user users vendor_data version wireguard write_files yum_repo_dir yum_repos zypper`.split(
    /\s+/,
  ),
);
