// The gateway may be behind a path prefix, which `<base href="<prefix>/app/">` tells.

/** Where the API's paths begin; ends with a slash. */
export const apiRoot = new URL("..", document.baseURI);

/** The prefix without its last slash, as the router wants it. */
export const prefix = apiRoot.pathname.replace(/\/$/, "") || "/";

/** An address on this API, from a path such as `/session/shop/picture`. */
export const apiUrl = (path: string): string => new URL(path.replace(/^\//, ""), apiRoot).href;

/** What the Content-Security-Policy asks of style elements; empty while developing. */
export const styleNonce =
  document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce || undefined;
