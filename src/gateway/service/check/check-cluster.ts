/** The etcd that several gateways share: whether each member answers and has room, and whether they are one. */
import { Etcd } from "../../../etcd/etcd.ts";
import type { Finding } from "../../../model/doctor-report.ts";
import { type ClusterSettings, readTls } from "../../cluster/cluster.ts";
import { failure, finding, ok } from "./finding.ts";

/** Longer than a gateway waits: here nobody asks the next one. */
const ANSWER_MS = 3_000;

export async function checkCluster(settings: ClusterSettings): Promise<Finding[]> {
  const { endpoints, prefix } = settings;
  let etcd: Etcd;
  try {
    etcd = new Etcd({ endpoints, prefix, tls: await readTls(settings), callMs: ANSWER_MS });
  } catch (error) {
    return [failure("etcd", error, "cluster.etcd.tls names files that can be read")];
  }
  try {
    const members = await etcd.members();
    const up = members.filter(({ error }) => error === null);
    const findings = members.map(({ endpoint, version, hasLeader, alarms, error }) => {
      if (error !== null) return finding("fail", "etcd", `${endpoint} does not answer: ${error}`, "is it up?");
      if (alarms.length > 0)
        return finding("fail", "etcd", `${endpoint} has the alarm ${alarms.join()}`, "docs/high-availability.md");
      if (!hasLeader) return finding("fail", "etcd", `${endpoint} knows no leader`, "most members must be up");
      return ok("etcd", `${endpoint} answers, etcd ${version}`);
    });
    if (new Set(up.map(({ cluster }) => cluster)).size > 1)
      findings.push(finding("fail", "etcd", "the endpoints are of different clusters", "name the members of one"));
    if (endpoints.length < 3)
      findings.push(
        finding(
          "warn",
          "etcd",
          `${endpoints.length} members: with one lost nothing is begun`,
          "three, on three machines",
        ),
      );
    if (up.length > 0) await etcd.read({ below: "leader/" });
    return findings;
  } catch (error) {
    return [failure("etcd", error, "the user of the certificate must be allowed to read and write the prefix")];
  } finally {
    etcd.close();
  }
}
