/** The gateway's unit, as text. Pure. It needs no rights on its host: it talks to agents, and keeps one folder. */
import { quoteForUnit } from "./agent-unit.ts";

export const GATEWAY_UNIT = "odorobo-gateway.service";
export const GATEWAY_USER = "odorobo-gateway";

/** In each that we wrote. */
export const GATEWAY_MARK = "# Written by `odorobo gateway install`";

/** `command`: the program and its arguments, absolute. `dataFolder`: absolute. */
export function gatewayUnit(command: readonly string[], dataFolder: string): string {
  const isAtHome = command.some((word) => /^\/(home|root|run\/user)\//.test(word));
  return `${GATEWAY_MARK}, which writes it anew each time: what is to stay goes into a drop-in
# (systemctl edit ${GATEWAY_UNIT}).
[Unit]
Description=odorobo gateway
Wants=network-online.target
After=network-online.target
# A repository or an address that is not there yet is tried again for as long as it takes.
StartLimitIntervalSec=0

[Service]
Type=exec
User=${GATEWAY_USER}
Group=${GATEWAY_USER}
ExecStart=${command.map(quoteForUnit).join(" ")}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
# What is in flight ends by itself; what is left is a run that the next gateway carries on.
KillMode=mixed
TimeoutStopSec=15min
LimitNOFILE=65536
UMask=0077
${folderLines(dataFolder).join("\n")}
RuntimeDirectory=odorobo-gateway
RuntimeDirectoryMode=0750
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=${isAtHome ? "read-only" : "yes"}
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** Below /var/lib systemd makes the folder and gives it to the user; elsewhere it is made at each start. */
function folderLines(dataFolder: string): readonly string[] {
  const name = /^\/var\/lib\/([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*)$/.exec(dataFolder)?.[1];
  if (name !== undefined && !name.split("/").includes(".."))
    return [`StateDirectory=${name}`, "StateDirectoryMode=0700"];
  const quoted = quoteForUnit(dataFolder);
  return [
    `ExecStartPre=+/usr/bin/install -d -m 0700 -o ${GATEWAY_USER} -g ${GATEWAY_USER} ${quoted}`,
    // It need not be there yet.
    `ReadWritePaths=-${quoted.replaceAll("$$", () => "$")}`,
  ];
}
