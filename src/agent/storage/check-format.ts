/**
 * Whether the bytes of somebody else's disk are what they are said to be, and stand alone. Four bytes tell.
 *
 * Said wrongly, a guest is given the insides of a container, or a hypervisor that believes the bytes follows what a header names
 * to any file of the node. A qcow2 image that reads from another file, or keeps its clusters in one, is refused whoever names it.
 */
import { OdoroboError } from "../../model/errors.ts";
import type { ImageFormat } from "../../model/vm-spec.ts";
import { type ImageFile, lookAtImage } from "./image-file.ts";
import type { Qcow2Header } from "./qcow2-header.ts";

/** How large the image is for a guest. Rejects as the file system does, and with UNSUPPORTED. */
export async function checkImage(image: string, path: string, format: ImageFormat): Promise<number> {
  const { bytes, qcow2 } = await lookAtImage(path);
  const correct = `correct format in the manifest of Image ${image}`;
  if (format === "raw") {
    if (qcow2 === null) return bytes;
    throw unfit(`Image ${image} says format raw, and ${path} is a qcow2 image`, `${correct}: qcow2`);
  }
  if (qcow2 === null)
    throw unfit(`Image ${image} says format qcow2, and ${path} does not begin as one: it is raw`, `${correct}: raw`);
  refuseFollowing(`Image ${image}`, path, qcow2);
  return qcow2.virtualBytes;
}

/** What a disk of somebody else's is opened as: by the ending of its name, as both drivers do. */
export interface Source {
  readonly disk: string;
  readonly path: string;
  readonly format: ImageFormat;
  /** The hypervisor believes the bytes whatever it is told: Cloud Hypervisor before 51. */
  readonly isGuessed: boolean;
}

/** Rejects as the file system does, and with UNSUPPORTED. */
export async function checkSource({ disk, path, format, isGuessed }: Source): Promise<void> {
  const { kind, qcow2 } = await lookAtImage(path);
  if (format === "qcow2" && qcow2 === null)
    throw unfit(
      `disk ${disk}: ${path} is called qcow2, and does not begin as such an image: it is raw`,
      "give it, or a link to it, a name that ends in .raw",
    );
  if (qcow2 !== null && (format === "qcow2" || isGuessed)) refuseFollowing(`disk ${disk}`, path, qcow2);
  if (format === "raw" && qcow2 !== null && mayBeMeantAsQcow2(path, kind, isGuessed))
    throw unfit(
      `disk ${disk}: ${path} would be opened as raw, and is a qcow2 image`,
      "a name that ends in .qcow2 opens it as one; if its guest shall see these very bytes, a name that ends in .raw does",
    );
}

/** On a device, or in a file that is called raw, its guest may have put an image: nested hosts keep theirs so. */
const mayBeMeantAsQcow2 = (path: string, kind: ImageFile["kind"], isGuessed: boolean): boolean =>
  isGuessed || (kind === "file" && !path.endsWith(".raw"));

/** Throws UNSUPPORTED. */
function refuseFollowing(what: string, path: string, header: Qcow2Header): void {
  const flat = "make one image of it: qemu-img convert -O qcow2 FROM TO";
  if (header.version !== 2 && header.version !== 3)
    throw unfit(`${what}: ${path} is a qcow2 image of version ${header.version}`, flat);
  if (header.backingFile !== null)
    throw unfit(
      `${what}: ${path} reads from another file, ${named(header.backingFile)}, and that is not followed`,
      flat,
    );
  if (header.dataFile !== null)
    throw unfit(
      `${what}: ${path} keeps its data in another file, ${named(header.dataFile)}, and that is not followed`,
      flat,
    );
  if (header.isEncrypted)
    throw unfit(`${what}: ${path} is encrypted, and odorobo has no key for it`, "decrypt it: qemu-img convert");
}

const named = (file: string): string => (file === "" ? "which it does not name" : JSON.stringify(file.slice(0, 200)));

const unfit = (message: string, hint: string): OdoroboError => new OdoroboError("UNSUPPORTED", message, { hint });
