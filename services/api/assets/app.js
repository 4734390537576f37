// What the pages share. Texts reach the page as text, never as markup.

// Next to this page, and without the credentials that may stand in its address.
const here = location.origin + location.pathname;

export const $ = (id) => document.getElementById(id);

// Asks the gateway; what it refuses is an Error in its own words.
export async function ask(method, path, body) {
  const init = { method, cache: "no-store" };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(new URL(path, here), init);
  } catch {
    throw new Error("The gateway does not answer.");
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(json.message || answer.statusText), { status: answer.status });
  return json;
}

export function el(tag, properties = {}, ...children) {
  const { data = {}, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

export const button = (text, act, className = "") =>
  el("button", { type: "button", textContent: text, className, onclick: (event) => busy(event.currentTarget, act) });

let fading;
export function say(text, tone = "") {
  const words = $("words");
  words.textContent = text;
  words.dataset.tone = tone;
  words.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { words.hidden = true; }, 6000);
}

// Runs something with its button out of reach, and says what went wrong.
export async function busy(control, act) {
  if (control) control.disabled = true;
  try {
    const said = await act();
    if (typeof said === "string") say(said);
    return true;
  } catch (error) {
    say(error.message, "bad");
    return false;
  } finally {
    if (control) control.disabled = false;
  }
}

export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, () => act(new FormData(form)));
  });
}

// Calls `look` now and every few seconds while somebody can see the page.
export function follow(look, pause = 3000) {
  let timer;
  const again = async () => {
    clearTimeout(timer);
    if (!document.hidden) await look().catch(() => {});
    timer = setTimeout(again, pause);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) again(); });
  again();
  return again;
}

const STATES = {
  none: ["off", "Not linked yet"],
  connected: ["good", "Connected"],
  connecting: ["busy", "Connecting"],
  reconnecting: ["busy", "Reconnecting"],
  pairing: ["busy", "Waits for a scan"],
  stopped: ["off", "Stopped"],
  logged_out: ["bad", "Logged out on the phone"],
  replaced: ["bad", "Taken over by another client"],
  banned: ["bad", "Refused by WhatsApp"],
  outdated: ["bad", "This version is too old for WhatsApp"],
  needs_passkey: ["bad", "Confirm the passkey on the phone"],
};

const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  const [unit, length] = units.find(([, length]) => seconds >= length) || ["second", 1];
  return unit === "second" ? "just now" : relative.format(-Math.floor(seconds / length), unit);
}

function sessionRow(session, look) {
  const [tone, words] = STATES[session.state] || ["off", session.state];
  const since = session.last_state_change_at && ago(session.last_state_change_at);
  const reason = !session.connected && session.last_state_reason;
  const acts = el("div", { className: "acts" });
  if (!["connected", "connecting", "reconnecting"].includes(session.state)) {
    acts.append(button(session.credentials_present ? "Start" : "Link", () => link(session.name, look), "main"));
  }
  if (session.last_state_change_at) {
    acts.append(button("Unlink", async () => {
      if (!confirm(`Unlink “${session.name}” from WhatsApp and remove it?`)) return;
      await ask("POST", "session/logout", { session: session.name });
      await look();
      return `“${session.name}” is unlinked.`;
    }, "danger"));
  }
  return el("li", {},
    el("div", { className: "what" },
      el("div", { className: "name", textContent: session.name, data: { tone } }),
      el("div", { className: "quiet", textContent: [words, since, reason].filter(Boolean).join(" · ") })),
    acts);
}

// Shows the sessions of `GET /status` in a list; `also` may add rows for what there could be.
export function sessions(list, summary, also = () => []) {
  let shown;
  const look = async () => {
    let status;
    try {
      status = await ask("GET", "status");
    } catch (error) {
      summary.textContent = error.message;
      return;
    }
    const all = status.sessions.concat(also(status.sessions));
    const up = all.filter((session) => session.connected).length;
    summary.textContent = all.length ? `${up} of ${all.length} connected` : "No session yet.";
    const key = JSON.stringify([all, Math.floor(Date.now() / 60000)]);
    // What is being used is not replaced under the finger without need.
    if (key === shown) return;
    shown = key;
    list.replaceChildren(...all.map((session) => sessionRow(session, look)));
  };
  return look;
}

// Links a number: shows what to scan and keeps it fresh until it is linked, or the dialog is closed.
export async function link(session, done) {
  const [image, mark, words] = [
    el("img", { className: "qr", alt: "QR code to scan with WhatsApp", hidden: true }),
    el("div", { className: "mark", textContent: "✓", hidden: true }),
    el("p", { textContent: "One moment …" }),
  ];
  words.setAttribute("role", "status");
  const close = el("button", { type: "button", textContent: "Close", onclick: () => dialog.close() });
  const dialog = el("dialog", {}, el("h2", { textContent: `Link “${session}”` }), image, mark, words,
    el("p", { className: "quiet", textContent: "On the phone: WhatsApp, Settings, Linked devices, Link a device." }),
    el("div", { className: "acts" }, close));
  document.body.append(dialog);
  dialog.showModal();
  let open = true;
  dialog.addEventListener("close", () => { open = false; dialog.remove(); done(); });

  let name = session;
  let failed, started;
  const begun = ask("POST", "session/start", { session })
    .then((answer) => {
      started = true;
      name = answer.session || answer.data?.session || name;
    })
    .catch((error) => { failed = error; });
  while (open) {
    const { data } = await ask("GET", `session/${encodeURIComponent(name)}/qr`).catch(() => ({ data: {} }));
    if (data.connected) {
      image.hidden = true;
      mark.hidden = false;
      words.textContent = "Linked.";
      break;
    }
    image.hidden = !data.image;
    if (data.image) image.src = data.image;
    words.textContent = data.image ? "Scan this code. It renews itself." : "One moment …";
    if (!data.image && !data.waiting && (failed || (started && data.state))) {
      words.textContent = failed?.message || data.reason || "The code is no longer on offer.";
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  await begun;
}

// The form for how webhooks log in at their receiver: shows the fields of the chosen type, and keeps those that are
// left empty as they are.
export function authForm(form, save) {
  const kind = form.elements.auth_type;
  const show = () => {
    for (const set of form.querySelectorAll("fieldset")) {
      const off = !set.dataset.kinds.split(" ").includes(kind.value);
      set.hidden = set.disabled = off;
    }
  };
  kind.addEventListener("change", show);
  onSubmit(form, async (data) => {
    const body = Object.fromEntries([...data].filter(([, value]) => value !== ""));
    const answer = await ask("PUT", save(), body);
    for (const input of form.querySelectorAll("input[type=password]")) input.value = "";
    return answer.data.message;
  });
  show();
  return show;
}
