/** The agent's own unit, as text. Pure. */

/** `command`: the program and its arguments, absolute. `dataFolder`: absolute; its disk is there before the agent starts. */
export function agentUnit(command: readonly string[], dataFolder: string): string {
  return `# Written by \`odorobo agent install\`, which writes it anew each time: what is to stay goes into a drop-in
# (systemctl edit odorobo-agent.service).
[Unit]
Description=odorobo agent
Wants=network-online.target
After=network-online.target remote-fs.target dbus.socket
# Without its data folder it would know none of its guests.
RequiresMountsFor=${quotePath(dataFolder)}
# An agent that cannot start now (an address that is not there yet) is tried again for as long as it takes.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${command.map(quoteForUnit).join(" ")}
Restart=always
RestartSec=2
# Guests go on, those too that this agent started itself (--supervisor spawn).
KillMode=process
TimeoutStopSec=30
# Of all that runs here it needs the least memory, and without it nobody looks after the guests.
OOMScoreAdjust=-900
LimitNOFILE=65536
# Threads for files; 4 by itself, and each boot from a network file system whose server is gone keeps one.
Environment=UV_THREADPOOL_SIZE=16
UMask=0077
# It makes taps, disks and units, and runs the hooks of admins, so it keeps root's file system. What none of that needs:
NoNewPrivileges=yes
LockPersonality=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;
}

/** In settings that take paths a dollar is a dollar. */
const quotePath = (path: string): string => quoteForUnit(path).replaceAll("$$", () => "$");

/** As `man systemd.syntax` has it, with nothing left that systemd would replace. Throws for what no unit file can say. */
export function quoteForUnit(argument: string): string {
  if (argument.includes("\0")) throw new Error("an argument with a NUL cannot be written into a unit");
  const escaped = argument
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r")
    .replaceAll("%", "%%")
    .replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_@:,./+=%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
