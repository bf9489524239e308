#!/usr/bin/env bash
# simple-git 4.0.2 (git 2.39): a git that a signal has ended (as the kernel does when memory is short, and systemd at a stop) is a success, and the
# part of its output that came before is the result. So is a git that fails without a word.
#
# Seen, of a repository with two files:
#   ended by SIGKILL after its first line: resolved with ["one"]
#   exit 3 after its first line:           resolved with ["one"]
#   the same with an `errors` plugin:      rejected, rejected
#
# Who reads a list by it (`ls-tree`, `ls-files`, `log`) takes the rest for gone. By default an error is an exit code that is not 0 *and* something on the
# standard error; of a signal the code is null. Way out: `errors: (error, { exitCode }) => error ?? (exitCode === 0 ? undefined : Buffer.from("…"))`.
# Needs node, npm and git. Fails when the behaviour has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund simple-git@4.0.2
git --version
git init --quiet repository
touch repository/one repository/two
git -C repository add --all
mkdir bin
real=$(command -v git)
cat >bin/git <<END
#!/bin/sh
"$real" "\$@" | head -n 1
case \$HOW in signal) kill -9 \$\$ ;; *) exit 3 ;; esac
END
chmod +x bin/git
cat >ask.cjs <<'END'
const { simpleGit } = require("simple-git");
const errors = (error, { exitCode }) => error ?? (exitCode === 0 ? undefined : Buffer.from("git failed"));
const options = { baseDir: "repository", ...(process.argv[2] === "strict" ? { errors } : {}) };
simpleGit(options)
  .raw(["ls-files"])
  .then(
    (said) => console.log(`resolved with ${JSON.stringify(said.trim().split("\n"))}`),
    () => console.log("rejected"),
  );
END
seen=""
for mode in default strict; do
  for how in signal code; do
    said=$(PATH="$folder/bin:$PATH" HOW=$how node ask.cjs $mode)
    echo "$mode, $how: $said"
    seen="$seen$said;"
  done
done
[ "$seen" = 'resolved with ["one"];resolved with ["one"];rejected;rejected;' ] || { echo "the behaviour has changed" && exit 1; }
