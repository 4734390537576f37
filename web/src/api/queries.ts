import { QueryClient } from "@tanstack/react-query";
import { asProblem, type Problem } from "./problem";

declare module "@tanstack/react-query" {
  interface Register {
    defaultError: Problem;
  }
}

const LONGEST_PAUSE_MS = 15_000;

/** What is shown stays shown while the gateway is away, and is asked for again until it answers. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: "always",
        staleTime: 5_000,
        retry: (_, error) => asProblem(error).passing,
        retryDelay: (attempt, error) =>
          error.retryAfterSeconds
            ? error.retryAfterSeconds * 1000
            : Math.min(1000 * 2 ** attempt, LONGEST_PAUSE_MS),
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}
