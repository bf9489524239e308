/** Paths that are the same whatever is on the disk: `/a//b/./c/` and `/a/b/c`. Links are followed elsewhere. Pure. */

/** Of an absolute path; `..` is taken away before links are followed, as everywhere in odorobo. Others stay as they are. */
export function normalPath(path: string): string {
  if (!path.startsWith("/")) return path;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** `/sys/bus/pci/devices/0000:01:00.0/`, `01:00.0` and `0000:01:00.0` → `0000:01:00.0`; null: no PCI device is named so. */
export function pciAddress(text: string): string | null {
  const name = normalPath(text).split("/").at(-1) ?? "";
  const [, domain = "0", rest] = /^(?:([0-9a-f]{1,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i.exec(name) ?? [];
  return rest === undefined ? null : `${domain.replace(/^0+/, "").padStart(4, "0")}:${rest}`.toLowerCase();
}
