/**
 * Holds requests and answers against the published OpenAPI description of Cloud Hypervisor 53, where that is at hand. What
 * the description gets wrong is listed here, each with what the program really does.
 */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { CLOUD_HYPERVISOR_OPENAPI, requires } from "./requirements.ts";

export interface OpenApiRoute {
  readonly name: string;
  readonly method: "GET" | "PUT";
  readonly takesBody: boolean;
  /** Statuses of success that the description knows. */
  readonly successes: readonly number[];
}

export interface OpenApi {
  readonly routes: readonly OpenApiRoute[];
  /** What is wrong with a request; empty: nothing. */
  request(route: string, body: unknown): readonly string[];
  answer(route: string, status: number, body: unknown): readonly string[];
}

/** Statuses that the program answers and the description does not have. */
const MORE_STATUSES: Readonly<Record<string, readonly number[]>> = {
  // The description says 204.
  "vmm.shutdown": [200],
};

/**
 * Answers that the description's schemas refuse and the program gives:
 * - latencies of a device that did nothing are 2^64 - 1: larger than its int64, which we do not check;
 * - an error has a body, an array of strings or `{error}`: the description has none, nor most of the statuses. Errors are checked here.
 */
const ERROR_STATUSES = [400, 404, 409, 429, 500];

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: unknown }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>
  >;
}

/** Null, with a word in the list of what was left out, where the description is not at hand. */
export function cloudHypervisorOpenApi(): OpenApi | null {
  if (
    !requires("requests and answers of Cloud Hypervisor against its OpenAPI description", "cloud-hypervisor-openapi")
  ) {
    return null;
  }
  const document = parse(readFileSync(CLOUD_HYPERVISOR_OPENAPI, "utf8")) as {
    readonly paths: Readonly<Record<string, Partial<Record<"get" | "put", Operation>>>>;
    readonly components: unknown;
  };
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: "ch", components: document.components }, "ch");
  const compile = (schema: unknown): ValidateFunction =>
    ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll("#/components", "ch#/components")) as object);
  const problems = (validate: ValidateFunction, value: unknown): string[] =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);

  const requests = new Map<string, ValidateFunction>();
  const answers = new Map<string, ValidateFunction>();
  const routes: OpenApiRoute[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    const name = path.slice(1);
    for (const [method, operation] of Object.entries(methods)) {
      const body = operation.requestBody?.content["application/json"];
      if (body !== undefined) requests.set(name, compile(body.schema));
      const successes = Object.keys(operation.responses)
        .map(Number)
        .filter((status) => status < 300);
      for (const status of successes) {
        const content = operation.responses[`${status}`]?.content?.["application/json"];
        if (content !== undefined) answers.set(`${name} ${status}`, compile(content.schema));
      }
      routes.push({ name, method: method === "get" ? "GET" : "PUT", takesBody: body !== undefined, successes });
    }
  }

  return {
    routes,
    request(route, body) {
      const validate = requests.get(route);
      if (validate === undefined) return body === undefined ? [] : [`${route} takes no body`];
      return problems(validate, body);
    },
    answer(route, status, body) {
      if (ERROR_STATUSES.includes(status))
        return isErrorBody(body) ? [] : [`no body of an error: ${JSON.stringify(body)}`];
      const known = [...(routes.find(({ name }) => name === route)?.successes ?? []), ...(MORE_STATUSES[route] ?? [])];
      if (!known.includes(status)) return [`${route} does not answer ${status}`];
      const validate = answers.get(`${route} ${status}`);
      if (validate === undefined) return body === undefined ? [] : [`${route} ${status} has no body`];
      return problems(validate, body);
    },
  };
}

/** An array of strings from the API; `{error}` from the HTTP below it; nothing where vm.create missed its body. */
function isErrorBody(body: unknown): boolean {
  if (Array.isArray(body)) return body.length > 0 && body.every((text) => typeof text === "string");
  return body === undefined || (typeof body === "object" && body !== null && "error" in body);
}
