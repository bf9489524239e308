/**
 * Cloud images of distributions, as one writes them into an Image: where their projects publish them, with the checksums beside. `latest` moves:
 * what a node fetched is kept by its digest, so that VMs stay on the bytes that they were made from.
 */
import { access } from "node:fs/promises";
import { basename } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import { nearest } from "../../../model/nearest.ts";

interface KnownImage {
  readonly x86_64: string;
  readonly aarch64?: string;
  /** Beside the image. */
  readonly checksums: string;
}

const DEBIAN = "https://cloud.debian.org/images/cloud";
const UBUNTU = "https://cloud-images.ubuntu.com";
const debian = (release: string, version: number): KnownImage => ({
  x86_64: `${DEBIAN}/${release}/latest/debian-${version}-genericcloud-amd64.qcow2`,
  aarch64: `${DEBIAN}/${release}/latest/debian-${version}-genericcloud-arm64.qcow2`,
  checksums: `${DEBIAN}/${release}/latest/SHA512SUMS`,
});
const ubuntu = (release: string): KnownImage => ({
  x86_64: `${UBUNTU}/${release}/current/${release}-server-cloudimg-amd64.img`,
  aarch64: `${UBUNTU}/${release}/current/${release}-server-cloudimg-arm64.img`,
  checksums: `${UBUNTU}/${release}/current/SHA256SUMS`,
});

export const KNOWN_IMAGES: Readonly<Record<string, KnownImage>> = {
  arch: {
    x86_64: "https://geo.mirror.pkgbuild.com/images/latest/Arch-Linux-x86_64-cloudimg.qcow2",
    checksums: "https://geo.mirror.pkgbuild.com/images/latest/Arch-Linux-x86_64-cloudimg.qcow2.SHA256",
  },
  "debian-12": debian("bookworm", 12),
  "debian-13": debian("trixie", 13),
  "ubuntu-22-04": ubuntu("jammy"),
  "ubuntu-24-04": ubuntu("noble"),
};

export interface StarterImage {
  /** Of the Image. */
  readonly name: string;
  /** Lines of YAML below `spec:`, indented by two. */
  readonly spec: string;
}

/** `asked`: a name of the list, or the absolute path of an image on the node. Rejects with USAGE. */
export async function starterImage(asked: string): Promise<StarterImage> {
  const known = Object.hasOwn(KNOWN_IMAGES, asked) ? KNOWN_IMAGES[asked] : undefined;
  if (known !== undefined) return { name: asked, spec: specOf(known) };
  if (!asked.startsWith("/")) {
    const names = Object.keys(KNOWN_IMAGES);
    const near = nearest(asked, names);
    throw new OdoroboError("USAGE", `${asked} is no image that odorobo knows by name`, {
      hint:
        near === null
          ? `there are ${names.join(", ")}; or give the path of one: /srv/images/mine.qcow2`
          : `did you mean ${near}?`,
    });
  }
  await access(asked).catch((cause: unknown) => {
    throw new OdoroboError("USAGE", `${asked} cannot be read`, {
      cause,
      hint: "give the path of an image on this machine",
    });
  });
  const name = basename(asked)
    .replace(/\.[^.]*$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const format = /\.(qcow2|raw)$/.test(asked) ? "" : "\n  format: qcow2 # or raw";
  return { name: name === "" ? "image" : name.slice(0, 63), spec: `  path: ${JSON.stringify(asked)}${format}` };
}

function specOf({ x86_64, aarch64, checksums }: KnownImage): string {
  const format = x86_64.endsWith(".qcow2") ? "" : "  format: qcow2\n";
  if (aarch64 === undefined) return `${format}  source: ${x86_64}\n  checksums: { url: ${checksums} }`;
  const lines = Object.entries({ x86_64, aarch64 }).map(
    ([kind, source]) => `    ${kind}: { source: ${source}, checksums: { url: ${checksums} } }`,
  );
  return `${format}  architectures:\n${lines.join("\n")}`;
}
