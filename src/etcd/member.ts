/** One member of etcd: calls with a deadline, and streams. The only file that knows gRPC. */
import {
  type ChannelCredentials,
  Client,
  credentials as grpcCredentials,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import { toEtcdError } from "./etcd-errors.ts";
import { type Calls, DESCRIPTORS } from "./messages.ts";

export interface EtcdTls {
  readonly ca: Buffer;
  /** Null: etcd asks for none. */
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

export interface EtcdStream<Request, Answer> {
  send(request: Request): void;
  readonly answers: AsyncIterable<Answer>;
  /** Ends it; nothing is thrown because of that. */
  close(): void;
}

const OPTIONS = {
  // A plan comes in pieces of a megabyte, a run's journal in one answer.
  "grpc.max_receive_message_length": -1,
  // A member that comes back is of use at once.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  // Each of ours has its own connection, which ends with it.
  "grpc.use_local_subchannel_pool": 1,
};

const loaded = fromJSON(DESCRIPTORS as Parameters<typeof fromJSON>[0], {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: false,
});
type AnyMethod = MethodDefinition<object, object>;

function methodOf(path: string): AnyMethod {
  const [service = "", method = ""] = path.split("/");
  return (loaded[`etcdserverpb.${service}`] as ServiceDefinition)[method] as AnyMethod;
}

export class Member {
  readonly endpoint: string;
  readonly #client: Client;

  /** `endpoint`: `http://host:port`, or `https://` with `tls`. Connects when it is first asked. */
  constructor(endpoint: string, tls: EtcdTls | null) {
    this.endpoint = endpoint;
    const { host, protocol } = new URL(endpoint);
    this.#client = new Client(host, credentialsOf(protocol, tls), OPTIONS);
  }

  /** Rejects with ETCD_UNREACHABLE or ETCD_REFUSED. */
  ask<Name extends keyof Calls>(name: Name, request: Calls[Name][0], withinMs: number): Promise<Calls[Name][1]> {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    const options = { deadline: Date.now() + withinMs };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Calls[Name][1],
        request as object,
        new Metadata(),
        options,
        (error, answer) => {
          if (error !== null || answer === undefined) reject(toEtcdError(this.endpoint, error));
          else resolve(answer);
        },
      );
    });
  }

  /** Its end is told by a member that has no leader any more, too. `withinMs`: of all of it; left out: it has no end. */
  stream<Request extends object, Answer>(
    name: "Lease/LeaseKeepAlive" | "Watch/Watch",
    withinMs?: number,
  ): EtcdStream<Request, Answer> {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    const metadata = new Metadata();
    // Without it a stream of a member that has lost the others is silent for ever.
    metadata.set("hasleader", "true");
    const options = withinMs === undefined ? {} : { deadline: Date.now() + withinMs };
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
    let isClosed = false;
    const { endpoint } = this;
    stream.on("error", () => {});
    return {
      send: (request) => void stream.write(request),
      answers: {
        async *[Symbol.asyncIterator]() {
          try {
            for await (const answer of stream) yield answer as Answer;
          } catch (error) {
            if (!isClosed) throw toEtcdError(endpoint, error);
          }
        },
      },
      close() {
        isClosed = true;
        stream.cancel();
      },
    };
  }

  close(): void {
    this.#client.close();
  }
}

function credentialsOf(protocol: string, tls: EtcdTls | null): ChannelCredentials {
  if (protocol !== "https:") return grpcCredentials.createInsecure();
  return grpcCredentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null);
}
