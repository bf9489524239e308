/** Domains of libvirt → manifests: each sample has its expected files beside it, and what real libvirt makes of a sample says the same. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fleetFiles } from "../../src/import/fleet-files.ts";
import { importTexts } from "../../src/import/import-texts.ts";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const FOLDER = join(import.meta.dirname, "domains");
const SAMPLES = readdirSync(FOLDER).filter((name) => name.endsWith(".xml"));
const BRIDGES = new Map([["wan", "br9"]]);
const TO = { fleet: "imported", node: "n1", address: "http://127.0.0.1:8890", headerOf: () => "# header" };

const importOf = (text: string) => importTexts([{ path: "domains.xml", text }], BRIDGES);

describe.each(SAMPLES)("%s", (sample) => {
  const text = readFileSync(join(FOLDER, sample), "utf8");

  test("becomes what stands beside it", async () => {
    const { vms, problems } = importOf(text);
    const { files } = fleetFiles(vms, TO);
    const told = problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
    const shown = [...told, ...files.map((file) => `==> ${file.path}\n${file.text}`)].join("\n");
    await expect(shown).toMatchFileSnapshot(join(FOLDER, sample.replace(/\.xml$/, ".expected")));
  });

  test("is a fleet without a mistake", () => {
    const { files } = fleetFiles(importOf(text).vms, TO);
    const { diagnostics } = readManifests(files.map((file) => ({ ...file, blobId: null })));
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  });
});

const HAS_VIRSH = requires("what real libvirt makes of domains, imported", "virsh");
/** One document each, and nothing that libvirt's test driver does not have. */
const DEFINABLE = SAMPLES.filter((name) => !["several.xml", "nics.xml", "seed.xml"].includes(name));

describe.runIf(HAS_VIRSH)("as real libvirt writes it down", () => {
  test.each(DEFINABLE)("%s says the same", async (sample) => {
    await using folder = await aTempFolder();
    const path = join(FOLDER, sample);
    const text = readFileSync(path, "utf8");
    const [ours] = importOf(text).vms;
    const name = ours?.name.replaceAll("'", "'\\''");
    // Its test driver runs no guests, and keeps what it was told for as long as the connection lasts.
    const dumped = execFileSync("virsh", ["-q", "-c", "test:///default", `define '${path}'; dumpxml '${name}'`], {
      encoding: "utf8",
      env: { ...process.env, HOME: folder.path, XDG_RUNTIME_DIR: folder.path, XDG_CACHE_HOME: folder.path },
    });
    const { vms, problems } = importOf(dumped.slice(dumped.indexOf("<domain")));
    expect(problems).toEqual([]);
    expect(vms).toHaveLength(1);
    const { spec, networks, notes } = vms[0]!;
    expect(spec).toEqual(ours?.spec);
    expect(networks).toEqual(ours?.networks);
    // It adds devices of its own, and none that a person would have to read about.
    const told = new Set(ours?.notes.map(({ what, says }) => `${what}: ${says}`));
    expect(notes.map(({ what, says }) => `${what}: ${says}`).filter((note) => !told.has(note))).toEqual([]);
  });
});
