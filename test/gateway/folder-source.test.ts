/** What editors, git and file systems do to a folder, on a real one: what is read of it is whole, and nothing is lost in between. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { FolderSource } from "../../src/gateway/sources/folder-source.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import type { WatchFolderOptions } from "../../src/source/watch-folder.ts";
import { aDocument, aNode, aVm } from "../support/manifest-texts.ts";
import "../support/own-cache.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

const OPTIONS = { poll: false, rescanMs: 3_600_000 };
const LABELLED = (name: string, label: string) => aVm(name, undefined, `labels: { app: "${label}" }`);

interface Reading {
  /** Names with their label, or the code of what was wrong. */
  readonly vms: string;
  readonly isDoubtful: boolean;
  readonly message: string;
}

/** A fleet of two VMs in `vms/`, and all that a source has read of it so far. */
async function aSource(options: Partial<WatchFolderOptions> = {}) {
  const folder = await aTempFolder({ inMemory: true });
  const at = (path: string) => join(folder.path, "fleet", path);
  mkdirSync(at("vms"), { recursive: true });
  writeFileSync(at("fleet.yaml"), `${aDocument("Fleet", "test")}---\n${aNode("n1")}`);
  for (const name of ["db", "web"]) writeFileSync(at(`vms/${name}.yaml`), LABELLED(name, "1"));
  const stop = new AbortController();
  const source = new FolderSource(at("."), { ...OPTIONS, ...options }, async (fleet) => fleet);
  const readings: Reading[] = [];
  const following = (async () => {
    for await (const { id } of source.revisions(stop.signal)) {
      try {
        const { fleet, isDoubtful } = await source.read(id, null, stop.signal);
        const vms = fleet.desired.vms.map(({ name, spec }) => `${name}=${spec.labels.app}`).join(" ");
        readings.push({ vms, isDoubtful, message: "" });
      } catch (error) {
        stop.signal.throwIfAborted();
        if (!isOdoroboError(error)) throw error;
        readings.push({ vms: error.code, isDoubtful: false, message: error.message });
      }
    }
  })().catch((error) => {
    if (stop.signal.aborted) return;
    readings.push({ vms: "broken", isDoubtful: false, message: String(error) });
  });
  const watch = {
    at,
    readings,
    /** Waits until it was read so. */
    async reads(vms: string): Promise<Reading> {
      const isRead = () => readings.at(-1)?.vms === vms || readings.at(-1)?.vms === "broken";
      await until(`it is read as ${vms.slice(0, 100)}`, isRead, 45_000).catch((error) => {
        throw new Error(`${error}: ${JSON.stringify(readings).slice(0, 3_000)}`);
      });
      const last = readings.at(-1) as Reading;
      if (last.vms !== vms) throw new Error(last.message);
      return last;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
      await folder[Symbol.asyncDispose]();
    },
  };
  await watch.reads("db=1 web=1");
  return watch;
}

type Save = (path: string, text: string) => void | Promise<void>;

/** The calls that each makes (strace), and a disk that is slow where it hurts. */
const SLOW_MS = 300;
const SAVES: Readonly<Record<string, Save>> = {
  "vim: a probe, a backup by rename, a new file": async (path, text) => {
    const probe = join(path, "../4913");
    writeFileSync(probe, "");
    rmSync(probe);
    writeFileSync(join(path, "../.web.yaml.swp"), "b0VIM 9.0");
    renameSync(path, `${path}~`);
    await sleep(SLOW_MS);
    writeFileSync(path, text);
    rmSync(`${path}~`);
    rmSync(join(path, "../.web.yaml.swp"));
  },
  "emacs: a lock that links to nothing, a backup by rename": async (path, text) => {
    symlinkSync("somebody@host.1:2", join(path, "../.#web.yaml"));
    writeFileSync(join(path, "../#web.yaml#"), text);
    renameSync(path, `${path}~`);
    await sleep(SLOW_MS);
    writeFileSync(path, text);
    rmSync(join(path, "../.#web.yaml"));
    rmSync(join(path, "../#web.yaml#"));
  },
  "VS Code, nano: emptied, then written": async (path, text) => {
    writeFileSync(path, "");
    await sleep(SLOW_MS);
    appendFileSync(path, text);
  },
  "sed -i, gedit, kate: another file, renamed": (path, text) => {
    writeFileSync(join(path, "../sedXqN1p2"), text);
    renameSync(join(path, "../sedXqN1p2"), path);
  },
  "JetBrains: two temporary files": async (path, text) => {
    writeFileSync(`${path}___jb_tmp___`, text);
    renameSync(path, `${path}___jb_old___`);
    await sleep(SLOW_MS);
    renameSync(`${path}___jb_tmp___`, path);
    rmSync(`${path}___jb_old___`);
  },
  "rsync: a hidden file, renamed": (path, text) => {
    writeFileSync(join(path, "../.web.yaml.Ab3dEf"), text);
    renameSync(join(path, "../.web.yaml.Ab3dEf"), path);
  },
  "scp: a piece at a time": async (path, text) => {
    writeFileSync(path, "");
    for (let from = 0; from < text.length; from += 60) {
      appendFileSync(path, text.slice(from, from + 60));
      await sleep(20);
    }
  },
};

describe.concurrent("saving", { timeout: 60_000 }, () => {
  test.for(Object.keys(SAVES))("%s", async (editor) => {
    await using source = await aSource();
    for (const label of ["2", "3"]) {
      await SAVES[editor]!(source.at("vms/web.yaml"), LABELLED("web", label));
      await source.reads(`db=1 web=${label}`);
    }
    // No VM less was ever read. What is half there on a machine that stands still is a mistake, and takes nothing away.
    const whole = /^(db=1 web=[123]|MANIFEST_INVALID|SOURCE_UNREADABLE)$/;
    expect(source.readings.filter(({ vms }) => !whole.test(vms))).toEqual([]);
  });

  test("twice within 50 ms: the second is what counts, and it is read once", async () => {
    await using source = await aSource();
    const before = source.readings.length;
    writeFileSync(source.at("vms/web.yaml"), LABELLED("web", "2"));
    await sleep(20);
    writeFileSync(source.at("vms/web.yaml"), LABELLED("web", "3"));
    await source.reads("db=1 web=3");
    // More only where this machine stood still in between.
    expect(source.readings.length - before).toBeLessThanOrEqual(2);
  });
});

describe.concurrent("a folder", { timeout: 60_000 }, () => {
  test("a file that is removed, or renamed with its VM in it", async () => {
    await using source = await aSource();
    renameSync(source.at("vms/web.yaml"), source.at("vms/other.yaml"));
    await sleep(0);
    rmSync(source.at("vms/db.yaml"));
    expect(await source.reads("web=1")).toMatchObject({ isDoubtful: false });
  });

  test("a mounted ConfigMap: what ..data leads to is another folder at once", async () => {
    await using source = await aSource();
    for (const version of ["1", "2"]) {
      mkdirSync(source.at(`vms/..${version}`));
      writeFileSync(source.at(`vms/..${version}/app.yaml`), LABELLED("app", version));
    }
    symlinkSync("..1", source.at("vms/..data"));
    symlinkSync("..data/app.yaml", source.at("vms/app.yaml"));
    await source.reads("app=1 db=1 web=1");
    symlinkSync("..2", source.at("vms/..tmp"));
    renameSync(source.at("vms/..tmp"), source.at("vms/..data"));
    await source.reads("app=2 db=1 web=1");
    rmSync(source.at("vms/..1"), { recursive: true });
    expect(source.readings.filter(({ vms }) => !/^(app=[12] )?db=1 web=1$/.test(vms))).toEqual([]);
  });

  test("names with odd bytes: other files are nobody's business, a manifest is named", async () => {
    // A name that is no text is told to nobody, and found when everything is compared.
    await using source = await aSource({ rescanMs: 500 });
    const odd = (name: string, text: string) =>
      writeFileSync(Buffer.concat([Buffer.from(source.at("vms/")), Buffer.from(name, "latin1")]), text);
    for (const name of ["caf\xe9", "a\nb.txt", "\x1b[31m.md", "\xff\xfe"]) odd(name, "what nobody reads");
    odd("new\nline.yaml", LABELLED("line", "1"));
    await source.reads("db=1 line=1 web=1");
    odd("caf\xe9.yaml", LABELLED("cafe", "1"));
    const { message } = await source.reads("SOURCE_UNREADABLE");
    expect(message).toMatch(/^vms\/caf.*\.yaml is /);
    execFileSync("sh", ["-c", `rm -f vms/caf*.yaml`], { cwd: source.at(".") });
    await source.reads("db=1 line=1 web=1");
  });

  test("5,000 files, one of them saved", async () => {
    await using source = await aSource();
    mkdirSync(source.at("vms/many"));
    const names = Array.from({ length: 5_000 }, (_, each) => `m${each}`);
    for (const name of names) writeFileSync(source.at(`vms/many/${name}.yaml`), LABELLED(name, "1"));
    const all = ["db", ...names, "web"].sort();
    await source.reads(all.map((name) => `${name}=1`).join(" "));
    writeFileSync(source.at("vms/many/m77.yaml"), LABELLED("m77", "2"));
    await source.reads(all.map((name) => `${name}=${name === "m77" ? 2 : 1}`).join(" "));
    expect(readFileSync(source.at("vms/many/m77.yaml"), "utf8")).toContain(`app: "2"`);
  });
});
