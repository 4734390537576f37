import { t } from "../texts";

/** Why the gateway did not do what it was asked, in words for people. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** The API's stable word; `unreachable` or `timeout` without an answer. */
    readonly code: string,
    message: string,
    /** When the gateway wants to be asked again. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }

  /** Nothing is wrong with the request: the same one may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** What an answer that is no success says. */
export function problemOf(response: Pick<Response, "status" | "headers">, body: unknown): Problem {
  const said = (typeof body === "object" && body !== null ? body : {}) as {
    code?: unknown;
    message?: unknown;
  };
  const code = typeof said.code === "string" ? said.code : `http_${response.status}`;
  const message = typeof said.message === "string" && said.message ? said.message : undefined;
  const retryAfter = Number(response.headers.get("retry-after")) || undefined;
  return new Problem(response.status, code, inWords(response.status, code, message, retryAfter), retryAfter);
}

function inWords(status: number, code: string, message?: string, retryAfter?: number): string {
  const known: Record<string, string | undefined> = t.problems.byCode;
  if (known[code]) return known[code];
  if (status === 429 && retryAfter) return t.problems.tooManyRequests(retryAfter);
  if (message) return message;
  return status >= 500 ? t.problems.gatewayFailed : t.problems.refused(status);
}

/** Any thrown thing as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new Problem(0, "timeout", t.problems.timeout);
  }
  // `fetch` throws a TypeError when there is no answer at all.
  if (error instanceof TypeError) return new Problem(0, "unreachable", t.problems.unreachable);
  return new Problem(0, "unknown", error instanceof Error ? error.message : String(error));
}
