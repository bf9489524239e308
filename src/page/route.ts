/** Where in the page one is: behind the `#`, so that every address is the server's one page and a reload comes back to it. */
import { signal } from "@preact/signals";

export type Route =
  | { readonly view: "fleets" }
  | { readonly view: "fleet"; readonly fleet: string; readonly tab: FleetTab }
  | { readonly view: "vm"; readonly fleet: string; readonly vm: string; readonly tab: VmTab }
  | { readonly view: "runs" }
  | { readonly view: "run"; readonly run: string }
  | { readonly view: "nowhere"; readonly path: string };

export const FLEET_TABS = ["nodes", "vms", "plan", "history"] as const;
export type FleetTab = (typeof FLEET_TABS)[number];
export const VM_TABS = ["now", "events", "log", "history", "console"] as const;
export type VmTab = (typeof VM_TABS)[number];

export function parseRoute(hash: string): Route {
  const path = hash.replace(/^#/, "");
  const parts = path.split("/").filter((part) => part !== "");
  const [first, name, second, vm, tab] = parts.map(decode);
  if (first === undefined) return { view: "fleets" };
  if (first === "runs") return name === undefined ? { view: "runs" } : { view: "run", run: name };
  if (first === "fleets" && name === undefined) return { view: "fleets" };
  if (first === "fleets" && name !== undefined) {
    if (second === "vms" && vm !== undefined) {
      const found = tab === undefined ? "now" : VM_TABS.find((each) => each === tab);
      if (found !== undefined) return { view: "vm", fleet: name, vm, tab: found };
    } else {
      const found = second === undefined ? "nodes" : FLEET_TABS.find((each) => each === second);
      if (found !== undefined) return { view: "fleet", fleet: name, tab: found };
    }
  }
  return { view: "nowhere", path };
}

export function hrefOf(route: Route): string {
  switch (route.view) {
    case "fleets":
      return "#/";
    case "fleet":
      return `#/fleets/${encodeURIComponent(route.fleet)}${route.tab === "nodes" ? "" : `/${route.tab}`}`;
    case "vm": {
      const base = `#/fleets/${encodeURIComponent(route.fleet)}/vms/${encodeURIComponent(route.vm)}`;
      return route.tab === "now" ? base : `${base}/${route.tab}`;
    }
    case "runs":
      return "#/runs";
    case "run":
      return `#/runs/${encodeURIComponent(route.run)}`;
    case "nowhere":
      return `#${route.path}`;
  }
}

export const fleetHref = (fleet: string, tab: FleetTab = "nodes"): string => hrefOf({ view: "fleet", fleet, tab });
export const vmHref = (fleet: string, vm: string, tab: VmTab = "now"): string => hrefOf({ view: "vm", fleet, vm, tab });
export const runHref = (run: string): string => hrefOf({ view: "run", run });

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>(parseRoute(location.hash));
addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export const goTo = (href: string): void => {
  location.hash = href;
};
