/**
 * What we say to etcd and what it answers: those calls and fields of its API (v3, `etcdserverpb`) that we use, numbered as it numbers them.
 * What it sends beyond them is passed over. 64-bit numbers are texts: ids of leases and members need all their bits.
 */

type Fields = Readonly<Record<string, readonly [type: string, id: number, rule?: "repeated"]>>;

const message = (fields: Fields, oneofs: Readonly<Record<string, readonly string[]>> = {}) => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [type, id, rule]]) => [name, { type, id, ...(rule && { rule }) }]),
  ),
  ...(Object.keys(oneofs).length > 0 && {
    oneofs: Object.fromEntries(Object.entries(oneofs).map(([name, oneof]) => [name, { oneof: [...oneof] }])),
  }),
});
const choice = (...values: readonly string[]) => ({
  values: Object.fromEntries(values.map((value, number) => [value, number])),
});
const call = (requestType: string, responseType: string, isStream = false) => ({
  ...{ requestType, responseType },
  ...(isStream && { requestStream: true, responseStream: true }),
});

const TYPES = {
  ResponseHeader: message({ cluster_id: ["uint64", 1], member_id: ["uint64", 2], revision: ["int64", 3] }),
  RangeRequest: message({
    key: ["bytes", 1],
    range_end: ["bytes", 2],
    limit: ["int64", 3],
    sort_order: ["SortOrder", 5],
    sort_target: ["SortTarget", 6],
    keys_only: ["bool", 8],
  }),
  SortOrder: choice("NONE", "ASCEND", "DESCEND"),
  SortTarget: choice("KEY", "VERSION", "CREATE", "MOD", "VALUE"),
  RangeResponse: message({
    header: ["ResponseHeader", 1],
    kvs: ["mvccpb.KeyValue", 2, "repeated"],
    more: ["bool", 3],
  }),
  PutRequest: message({ key: ["bytes", 1], value: ["bytes", 2], lease: ["int64", 3] }),
  PutResponse: message({ header: ["ResponseHeader", 1] }),
  DeleteRangeRequest: message({ key: ["bytes", 1], range_end: ["bytes", 2] }),
  DeleteRangeResponse: message({ header: ["ResponseHeader", 1], deleted: ["int64", 2] }),
  RequestOp: message(
    { request_put: ["PutRequest", 2], request_delete_range: ["DeleteRangeRequest", 3] },
    { request: ["request_put", "request_delete_range"] },
  ),
  Compare: message(
    {
      result: ["CompareResult", 1],
      target: ["CompareTarget", 2],
      key: ["bytes", 3],
      create_revision: ["int64", 5],
      mod_revision: ["int64", 6],
    },
    { target_union: ["create_revision", "mod_revision"] },
  ),
  CompareResult: choice("EQUAL", "GREATER", "LESS", "NOT_EQUAL"),
  CompareTarget: choice("VERSION", "CREATE", "MOD", "VALUE", "LEASE"),
  TxnRequest: message({ compare: ["Compare", 1, "repeated"], success: ["RequestOp", 2, "repeated"] }),
  TxnResponse: message({ header: ["ResponseHeader", 1], succeeded: ["bool", 2] }),
  LeaseGrantRequest: message({ TTL: ["int64", 1], ID: ["int64", 2] }),
  LeaseGrantResponse: message({ header: ["ResponseHeader", 1], ID: ["int64", 2], TTL: ["int64", 3] }),
  LeaseRevokeRequest: message({ ID: ["int64", 1] }),
  LeaseRevokeResponse: message({ header: ["ResponseHeader", 1] }),
  LeaseKeepAliveRequest: message({ ID: ["int64", 1] }),
  LeaseKeepAliveResponse: message({ header: ["ResponseHeader", 1], ID: ["int64", 2], TTL: ["int64", 3] }),
  WatchRequest: message({ create_request: ["WatchCreateRequest", 1] }, { request_union: ["create_request"] }),
  WatchCreateRequest: message({ key: ["bytes", 1], range_end: ["bytes", 2] }),
  WatchResponse: message({
    header: ["ResponseHeader", 1],
    watch_id: ["int64", 2],
    created: ["bool", 3],
    canceled: ["bool", 4],
    compact_revision: ["int64", 5],
    events: ["mvccpb.Event", 11, "repeated"],
  }),
  StatusRequest: message({}),
  StatusResponse: message({
    header: ["ResponseHeader", 1],
    version: ["string", 2],
    dbSize: ["int64", 3],
    leader: ["uint64", 4],
  }),
  AlarmRequest: message({ action: ["AlarmAction", 1] }),
  AlarmAction: choice("GET"),
  AlarmMember: message({ memberID: ["uint64", 1], alarm: ["AlarmType", 2] }),
  AlarmType: choice("NONE", "NOSPACE", "CORRUPT"),
  AlarmResponse: message({ header: ["ResponseHeader", 1], alarms: ["AlarmMember", 2, "repeated"] }),
};

const SERVICES = {
  KV: { methods: { Range: call("RangeRequest", "RangeResponse"), Txn: call("TxnRequest", "TxnResponse") } },
  Lease: {
    methods: {
      LeaseGrant: call("LeaseGrantRequest", "LeaseGrantResponse"),
      LeaseRevoke: call("LeaseRevokeRequest", "LeaseRevokeResponse"),
      LeaseKeepAlive: call("LeaseKeepAliveRequest", "LeaseKeepAliveResponse", true),
    },
  },
  Watch: { methods: { Watch: call("WatchRequest", "WatchResponse", true) } },
  Maintenance: {
    methods: { Status: call("StatusRequest", "StatusResponse"), Alarm: call("AlarmRequest", "AlarmResponse") },
  },
};

const MVCC = {
  KeyValue: message({
    key: ["bytes", 1],
    create_revision: ["int64", 2],
    mod_revision: ["int64", 3],
    value: ["bytes", 5],
    lease: ["int64", 6],
  }),
  Event: message({ type: ["EventType", 1], kv: ["KeyValue", 2] }),
  EventType: choice("PUT", "DELETE"),
};

/** As protobufjs has descriptors. */
export const DESCRIPTORS = {
  nested: { etcdserverpb: { nested: { ...TYPES, ...SERVICES } }, mvccpb: { nested: MVCC } },
};

export interface Header {
  readonly cluster_id: string;
  readonly revision: string;
}

export interface RawEntry {
  readonly key: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly value: Buffer;
}

export interface Calls {
  "KV/Range": [request: object, answer: { readonly header: Header; readonly kvs: readonly RawEntry[] }];
  "KV/Txn": [request: object, answer: { readonly header: Header; readonly succeeded: boolean }];
  "Lease/LeaseGrant": [request: object, answer: { readonly header: Header; readonly ID: string; readonly TTL: string }];
  "Lease/LeaseRevoke": [request: object, answer: { readonly header: Header }];
  "Maintenance/Status": [
    request: object,
    answer: { readonly header: Header; readonly version: string; readonly dbSize: string; readonly leader: string },
  ];
  "Maintenance/Alarm": [
    request: object,
    answer: { readonly header: Header; readonly alarms: readonly { readonly alarm: string }[] },
  ];
}

export interface WatchAnswer {
  readonly created: boolean;
  readonly canceled: boolean;
  readonly events: readonly { readonly kv: { readonly key: Buffer } | null }[];
}
