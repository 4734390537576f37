/** A text in an address; the router reads digits as a number. */
export const textParam = (value: unknown): string | undefined =>
  (typeof value === "string" || typeof value === "number") && value !== "" ? String(value) : undefined;
