import { $, ask, authForm, busy, follow, link, onSubmit, sessions } from "./app.js";

let info;

// The user's own session is listed before it is there, so that it can be linked.
const own = (known) => {
  if (!info) return [];
  const mine = known.some(({ name }) => name === info.session_name || name === `${$("who").textContent}_${info.session_name}`);
  return mine ? [] : [{ name: info.session_name, state: "none", connected: false, credentials_present: false }];
};
const look = sessions($("sessions"), $("summary"), own);

async function load() {
  info = (await ask("GET", "dashboard/session-info")).data;
  $("callback").elements.callback_url.value = info.callback_url || "";
}

onSubmit($("start"), async (data) => {
  await link(data.get("session"), look);
  $("start").reset();
});

onSubmit($("callback"), async (data) => {
  const answer = await ask("PUT", "dashboard/callback", { callback_url: data.get("callback_url") || null });
  return answer.data.message;
});

const showAuth = authForm($("auth"), () => "dashboard/webhook-auth");

async function loadAuth() {
  const { data } = await ask("GET", "dashboard/webhook-auth");
  const fields = $("auth").elements;
  fields.auth_type.value = data.auth_type;
  for (const name of ["auth_username", "oauth2_client_id", "oauth2_token_url", "oauth2_scope"]) {
    fields[name].value = data[name] || "";
  }
  const until = data.oauth2_token_expiry ? ` until ${new Date(data.oauth2_token_expiry).toLocaleString()}` : "";
  $("token").textContent = data.oauth2_has_token ? `A token is held${until}.` : "No token is held.";
  showAuth();
  $("auth-section").hidden = false;
}

$("fetch-token").onclick = (event) => busy(event.currentTarget, async () => {
  const answer = await ask("POST", "dashboard/webhook-auth/oauth2-client-credentials");
  await loadAuth();
  return answer.data.message;
});

$("use-code").onclick = (event) => busy(event.currentTarget, async () => {
  const [code, redirect_uri] = ["code", "redirect_uri"].map((id) => $(id).value.trim());
  const answer = await ask("POST", "dashboard/webhook-auth/oauth2-token", redirect_uri ? { code, redirect_uri } : { code });
  $("code").value = "";
  await loadAuth();
  return answer.data.message;
});

await busy(null, load);
follow(look);
busy(null, loadAuth);
