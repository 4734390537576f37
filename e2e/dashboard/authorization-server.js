// An OAuth2 authorization server with a page for people: checks the client, the code, the redirect address and PKCE.

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";

export const CLIENT = { id: "gateway", secret: "s3cret & more=" };

export async function authorizationServer() {
  const codes = new Map();
  const tokens = new Set();
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname === "/authorize") return authorize(url.searchParams, response);
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => token(new URLSearchParams(Buffer.concat(parts).toString()), response));
  });

  // Somebody who is logged in here says yes at the press of a link.
  function authorize(asked, response) {
    const back = new URL(asked.get("redirect_uri"));
    const code = randomBytes(9).toString("hex");
    codes.set(code, { redirect: back.href, challenge: asked.get("code_challenge") });
    back.searchParams.set("code", code);
    back.searchParams.set("state", asked.get("state"));
    const page = `<!doctype html><title>Allow?</title><a href="${back.href.replaceAll("&", "&amp;")}">Allow</a>`;
    response.writeHead(200, { "content-type": "text/html" }).end(page);
  }

  function token(form, response) {
    const answer = (status, body) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (form.get("client_id") !== CLIENT.id || form.get("client_secret") !== CLIENT.secret) {
      return answer(401, { error: "invalid_client" });
    }
    if (form.get("grant_type") === "authorization_code") {
      const code = codes.get(form.get("code"));
      codes.delete(form.get("code"));
      const verifier = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
      if (!code || code.redirect !== form.get("redirect_uri") || code.challenge !== verifier) {
        return answer(400, { error: "invalid_grant" });
      }
    }
    const access_token = randomBytes(9).toString("hex");
    tokens.add(access_token);
    return answer(200, { access_token, token_type: "Bearer", expires_in: 3600 });
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return { url: `http://127.0.0.1:${server.address().port}`, tokens };
}
