import { $, ask, authForm, busy, button, el, follow, onSubmit, link, sessions } from "./app.js";

const look = sessions($("sessions"), $("summary"));
let chosen;

function choose(dialog, user) {
  chosen = user;
  for (const who of $(dialog).querySelectorAll(".who")) who.textContent = user.username;
  $(dialog).querySelector("form").reset();
  $(dialog).showModal();
}

function userRow(user) {
  const hook = user.callback_url ? `, webhooks to ${user.callback_url}` : "";
  const login = user.webhook_auth_type === "none" ? "" : ` (${user.webhook_auth_type})`;
  const acts = el("div", { className: "acts" });
  if (!user.is_admin) {
    acts.append(
      button("Password", () => choose("password", user)),
      button("Session", () => {
        choose("session", user);
        const fields = $("session").querySelector("form").elements;
        fields.session_name.value = user.session_name;
        fields.callback_url.value = user.callback_url || "";
      }),
      button("Webhook login", () => {
        choose("auth", user);
        $("auth").querySelector("form").elements.auth_type.value = user.webhook_auth_type;
        showAuth();
      }),
      button("Delete", async () => {
        if (!confirm(`Delete ${user.username}, their sessions, messages and webhooks?`)) return;
        const answer = await ask("DELETE", `admin/users/${user.id}`);
        await Promise.all([load(), look()]);
        return answer.data.message;
      }, "danger"));
  }
  return el("li", {},
    el("div", { className: "what" },
      el("div", { className: "name plain", textContent: user.username }),
      el("div", {
        className: "quiet",
        textContent: user.is_admin
          ? "Admin; the password is set in the environment"
          : `Id ${user.id}, session “${user.session_name}”${hook}${login}, since ${user.created_at.slice(0, 10)}`,
      })),
    acts);
}

async function load() {
  const { data } = await ask("GET", "admin/users");
  $("users").replaceChildren(...data.map(userRow));
}

onSubmit($("create"), async (data) => {
  const { data: user } = await ask("POST", "admin/users", Object.fromEntries(data));
  $("create").reset();
  await load();
  return `${user.username} can log in.`;
});

for (const [dialog, path, body] of [
  ["password", "password", (data) => ({ password: data.get("password") })],
  ["session", "session-config", (data) => ({
    session_name: data.get("session_name"), callback_url: data.get("callback_url") || null,
  })],
]) {
  onSubmit($(dialog).querySelector("form"), async (data) => {
    const answer = await ask("PUT", `admin/users/${chosen.id}/${path}`, body(data));
    $(dialog).close();
    await load();
    return answer.data.message;
  });
}

const authFields = $("auth").querySelector("form");
const showAuth = authForm(authFields, () => `admin/users/${chosen.id}/webhook-auth`);
$("auth").addEventListener("close", () => busy(null, load));

for (const close of document.querySelectorAll("dialog button.close")) {
  close.onclick = () => close.closest("dialog").close();
}

onSubmit($("start"), async (data) => {
  await link(data.get("session"), look);
  $("start").reset();
});

busy(null, load);
follow(look);
