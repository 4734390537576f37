import createClient from "openapi-fetch";
import { apiRoot } from "../base";
import { DASHBOARD_HEADERS, watchedFetch } from "./connection";
import { asProblem, problemOf } from "./problem";
import type { paths } from "./schema";

/** The API, as `openapi.json` describes it. */
export const api = createClient<paths>({
  baseUrl: apiRoot.href.replace(/\/$/, ""),
  headers: DASHBOARD_HEADERS,
  cache: "no-store",
  credentials: "same-origin",
  fetch: watchedFetch,
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was answered; everything but a success is thrown as a `Problem`. */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw asProblem(error);
  }
  if (!got.response.ok) throw problemOf(got.response, got.error);
  return got.data as T;
}
