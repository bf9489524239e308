#!/usr/bin/env bash
# Node 24.21.0 (npm package node@24.21.0; the same with fs.promises and fs.mkdirSync): `mkdir` with `recursive: true` on a read-only file
# system fails with ENOENT, "no such file or directory", although the folder above is there. Without `recursive` it says EROFS.
#
# Seen, on a tmpfs that was remounted read-only:
#   recursive: false   EROFS
#   recursive: true    ENOENT
#
# Whoever tells people what is wrong with their disk by the code of the error tells them that something is missing. The cause: of an error
# that it does not know Node asks whether the path is a folder already, and passes on what that question failed with.
# Run by hand as root (it mounts a tmpfs in a mount namespace of its own); needs npm. Fails when the behaviour has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund node@24.21.0 --allow-scripts=node >/dev/null 2>&1 || npm install --silent --no-audit --no-fund node@24.21.0
node=$folder/node_modules/node/bin/node
"$node" --version

cat >ask.mjs <<'CODE'
import { mkdir } from "node:fs/promises";
for (const recursive of [false, true])
  await mkdir("disk/new", { recursive }).then(
    () => console.log(`recursive: ${recursive} made it`),
    ({ code }) => console.log(`recursive: ${recursive} ${code}`),
  );
CODE
mkdir disk
said=$(unshare --mount sh -euc "mount -t tmpfs tmpfs disk; mount -o remount,ro disk; exec '$node' ask.mjs")
echo "$said"
[ "$said" = "recursive: false EROFS
recursive: true ENOENT" ]
