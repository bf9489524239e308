/** How full nodes are before, at the worst moment on the way, and afterwards. */
import type { NodeRoom, Plan } from "../../plan/plan-document.ts";
import { Meter, showCpus, showSize } from "../parts/meter.tsx";

export function Rooms({ plan: { rooms = [] } }: { readonly plan: Plan }) {
  if (rooms.length === 0) return null;
  return (
    <section aria-label="Room">
      <h2>Room on the nodes, when all is done</h2>
      <ul class="rooms">
        {rooms.map((room) => (
          <li key={room.node} class="card">
            <h3>{room.node}</h3>
            <Meter label="CPUs" used={room.after.cpus} of={room.of.cpus} most={room.fullest?.cpus} show={showCpus} />
            <Meter
              label="Memory"
              used={room.after.memoryMiB}
              of={room.of.memoryMiB}
              most={room.fullest?.memoryMiB}
              show={showSize}
            />
            <p class="hint">{describe(room)}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function describe({ now, fullest }: NodeRoom): string {
  const before = `now ${now.cpus} CPUs, ${showSize(now.memoryMiB)}`;
  if (fullest === undefined) return `${before}; never fuller than that or afterwards`;
  return `${before}; at the worst moment ${fullest.cpus} CPUs, ${showSize(fullest.memoryMiB)}`;
}
