import { DASHBOARD_HEADERS, noticeAnswer } from "../../../api/connection";
import { Problem, problemOf } from "../../../api/problem";
import { apiUrl } from "../../../base";
import { t } from "../../../texts";
import type { Built } from "./build-message";

export interface Progress {
  loaded: number;
  total: number;
}

/** What the API says of a message that it took. */
export interface Sent {
  id: string;
  status: string;
  key: { id: string };
}

/**
 * Sends it, a file with the progress of its upload, which `fetch` does not tell. `key` makes another try after a lost
 * answer the same message.
 */
export function send(
  { path, fields, file }: Built,
  key: string,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", apiUrl(path));
    for (const [name, value] of Object.entries({ ...DASHBOARD_HEADERS, "Idempotency-Key": key })) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded, total }) => onProgress({ loaded, total });
    request.onerror = () => reject(new Problem(0, "unreachable", t.problems.unreachable));
    request.onabort = () => reject(new Problem(0, "aborted", t.session.form.aborted));
    request.onload = () => {
      const headers = new Headers();
      for (const name of ["content-type", "retry-after"])
        headers.set(name, request.getResponseHeader(name) ?? "");
      const { status } = request;
      noticeAnswer({ status, headers });
      const body = json(request.responseText);
      if (status >= 200 && status < 300) resolve((body as { data: Sent }).data);
      else reject(problemOf({ status, headers }, body));
    };
    signal.addEventListener("abort", () => request.abort());
    if (file) {
      request.send(multipart(fields, file));
    } else {
      request.setRequestHeader("Content-Type", "application/json");
      request.send(JSON.stringify(fields));
    }
  });
}

function multipart(fields: Record<string, unknown>, file: File): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  // Last: what is before it is known when the file begins to arrive.
  form.set("file", file);
  return form;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A key of its own for a message; `randomUUID` is not there on plain HTTP. */
export function idempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
