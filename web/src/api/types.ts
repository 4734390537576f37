import type { components } from "./schema";

// What the API tells, by the names that the pages use.
type Schemas = components["schemas"];

/** Who is logged in. */
export type Me = Schemas["Me"];

/** A session, as the list shows it. */
export type ListedSession = Schemas["ListedBody"];

/** A message, as the list shows it. The document leaves the shape of a failure open. */
export type ListedMessage = Omit<Schemas["ListedMessage"], "error"> & { error?: Failure | null };

/** Why a message was not sent: a stable word, and a sentence. */
export interface Failure {
  code?: string;
  reason?: string;
}

export type Stats = Schemas["Stats"];
export type StatsBucket = Schemas["BucketBody"];
export type ApiKey = Schemas["ApiKeyBody"];
export type FleetHealth = Schemas["FleetBody"];
export type AuditEntry = Schemas["AuditBody"];

export interface PageOf<T> {
  data: T[];
  next_cursor?: string | null;
}
