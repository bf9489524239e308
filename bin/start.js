/**
 * What both entry points do before anything is loaded: refuse a Node that is too old, and answer --version at once.
 *
 * Their first lines give Node --max-semi-space-size=8 (MiB; 16 by itself): the garbage of a short command is then collected
 * before it takes 50 MiB more than needed, in the same time. Started as `node bin/run.js` everything works, only larger.
 */
import { readFileSync } from "node:fs";
import module from "node:module";

export const ROOT = new URL("..", import.meta.url);

/** Returns false when there is nothing left to do. Written so that old Nodes can parse it. */
export function start(argv) {
  const { version, engines } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));
  if (argv[0] === "--version" || argv[0] === "-V") {
    process.stdout.write(`odorobo/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
    return false;
  }
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [leastMajor, leastMinor] = engines.node.match(/\d+/g).map(Number);
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    process.stderr.write(
      `error  USAGE  odorobo needs Node ${engines.node.slice(2)} or later, this is ${process.version}\n` +
        "hint: install a newer one, or use a clone, which brings its own: npm ci, then node bin/dev.js\n",
    );
    process.exitCode = 1;
    return false;
  }
  module.enableCompileCache?.();
  return true;
}
