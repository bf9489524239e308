/** What a provider's claims say of somebody: the name that is shown, and the role, by the map of `gateway.yaml`. Pure. */
import { includesRole, type Role } from "../../../model/role.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** The highest of the roles that the claim's values stand for; null: none of them stands for any. */
export function roleOf(claims: Claims, claim: string, roles: Readonly<Record<string, Role>>): Role | null {
  let highest: Role | null = null;
  for (const value of valuesOf(claims, claim)) {
    const role = Object.hasOwn(roles, value) ? roles[value] : undefined;
    if (role !== undefined && (highest === null || includesRole(role, highest))) highest = role;
  }
  return highest;
}

/** A claim may be called with dots (`https://example/roles`), and may lie within others (`realm_access.roles`, as Keycloak has it). */
export function valuesOf(claims: Claims, claim: string): readonly string[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : within(claims, claim.split("."));
  const values = Array.isArray(value) ? value : [value];
  return values.filter((each) => typeof each === "string");
}

function within(value: unknown, path: readonly string[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, first)) return undefined;
  return within((value as Claims)[first], rest);
}

/** With a prefix that no name of an access file has: nobody at the provider can be called as somebody here is. */
export function nameOf(claims: Claims): string {
  const said = [claims.preferred_username, claims.email, claims.sub].find(
    (each) => typeof each === "string" && each !== "",
  ) as string | undefined;
  return `oidc:${(said ?? "somebody").replaceAll(/[^\w.@+-]/g, "_").slice(0, 63)}`;
}
