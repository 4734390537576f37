// Routes that are not in openapi.json yet, by hand. Deleted once they are: the compiler then shows what differs.

type Json<T> = { content: { "application/json": T } };

interface Operation<Query, Path, Ok, Body = never> {
  parameters: { query?: Query; header?: never; path: Path; cookie?: never };
  requestBody?: [Body] extends [never] ? never : Json<Body>;
  responses: { 200: Json<Ok>; default: Json<{ message: string; code: string }> };
}

interface NoPath<Query, Ok, Body = never> {
  parameters: { query?: Query; header?: never; path?: never; cookie?: never };
  requestBody?: [Body] extends [never] ? never : Json<Body>;
  responses: { 200: Json<Ok>; default: Json<{ message: string; code: string }> };
}

interface Data<T> {
  data: T;
}

export interface PageOf<T> {
  data: T[];
  next_cursor?: string | null;
}

export interface Me {
  username: string;
  is_admin: boolean;
  scopes: string[];
  by: "cookie" | "basic" | "api_key";
  expires_at?: string | null;
  version: string;
}

export interface ListedSession {
  name: string;
  state: string;
  reason?: string | null;
  since: string;
  phone_number?: string | null;
  picture?: string | null;
  sent_today: number;
  received_today: number;
  last_message_at?: string | null;
  needs_person: boolean;
  advice?: string | null;
  user?: string | null;
}

export interface ListOfSessions extends PageOf<ListedSession> {
  total: number;
}

export interface ListedMessage {
  id: string;
  direction: string;
  message_id: string;
  chat: string;
  kind: string;
  text?: string | null;
  text_cut: boolean;
  state: string;
  state_at: string;
  error?: { code: string; reason: string } | null;
  at: string;
  sender?: string | null;
  sender_name?: string | null;
  media?: {
    kind: string;
    state?: string | null;
    path?: string | null;
    file_name?: string | null;
    mime_type?: string | null;
    size?: number | null;
  } | null;
}

export interface StatsBucket {
  at: string;
  sent: number;
  received: number;
  failed: number;
  latency_p50_ms?: number | null;
  latency_p99_ms?: number | null;
}

export interface Stats {
  buckets: StatsBucket[];
  totals: Omit<StatsBucket, "at">;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: string;
  last_used_at?: string | null;
  expires_at?: string | null;
}

export interface FleetHealth {
  sessions: { expected: number; connected: number; needs_person: number; unowned: number };
  outbound: { queued: number; oldest_at?: string | null };
  deliveries: { due: number; dead: number; oldest_due_at?: string | null };
  runners: { alive: number; draining: number; capacity: number };
}

export interface AuditEntry {
  id: string;
  at: string;
  actor: string;
  action: string;
  target?: string | null;
  address?: string | null;
  detail?: string | null;
}

export interface UpcomingPaths {
  "/auth/login": {
    post: NoPath<
      never,
      Data<{ username: string; is_admin: boolean; expires_at: string }>,
      { username: string; password: string }
    >;
  };
  "/auth/logout": { post: NoPath<never, undefined> };
  "/auth/me": { get: NoPath<never, Data<Me>> };
  "/api-keys": {
    get: NoPath<{ limit?: number; cursor?: string }, PageOf<ApiKey>>;
    post: NoPath<
      never,
      Data<ApiKey & { key: string }>,
      { name: string; scopes: string[]; expires_in_days?: number }
    >;
  };
  "/api-keys/{id}": { delete: Operation<never, { id: string }, undefined> };
  "/sessions": {
    get: NoPath<
      {
        search?: string;
        state?: string;
        user?: string;
        today_from?: string;
        limit?: number;
        cursor?: string;
      },
      ListOfSessions
    >;
  };
  "/session/{name}/messages": {
    get: Operation<
      { direction?: "in" | "out"; state?: string; chat?: string; limit?: number; cursor?: string },
      { name: string },
      PageOf<ListedMessage>
    >;
  };
  "/session/{name}/stats": {
    get: Operation<{ window?: "1h" | "24h" | "7d" }, { name: string }, Data<Stats>>;
  };
  "/session/{name}/share": {
    post: Operation<
      never,
      { name: string },
      Data<{ url: string; token: string; expires_at: string }>,
      { expires_in_minutes?: number }
    >;
    delete: Operation<never, { name: string }, undefined>;
  };
  "/link/{token}/state": {
    get: Operation<never, { token: string }, Data<{ session: string; state: string; expires_at: string }>>;
  };
  "/link/{token}/pair-code": {
    post: Operation<never, { token: string }, { data: { code: string } }, { phone_number: string }>;
  };
  "/admin/fleet": { get: NoPath<never, Data<FleetHealth>> };
  "/admin/audit": {
    get: NoPath<{ user?: string; action?: string; limit?: number; cursor?: string }, PageOf<AuditEntry>>;
  };
}
