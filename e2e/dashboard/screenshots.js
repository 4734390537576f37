// Takes the pictures of docs/: `cargo xtask screenshots` starts the demo and runs this.
//
//     node screenshots.js <folder>

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { close, eventually, GATEWAY, link, logIn, open, phones, Receiver, rest } from "./stage.js";

const folder = process.argv[2] ?? "../../docs/screenshots";
const LARGEST = 130_000;
mkdirSync(folder, { recursive: true });

const FRIEND = "628110000077";
const BRANCH = "628110000078";
const [ours] = (await rest("GET", "/session")).data;
const number = (await rest("GET", `/session/${ours}`)).data.number;

await seed();
await shoot("light");
await phoneAndDark();
await close();

/** Something to look at on every page. */
async function seed() {
  await phones.create(FRIEND, "Citra");
  const failing = await new Receiver().start();
  failing.status = 410;
  failing.answer = "moved away";
  await rest("POST", "/webhook/endpoints", { url: `${failing.url}/old-shop`, description: "the old shop" });
  const well = await new Receiver().start();
  await rest("POST", "/webhook/endpoints", { url: `${well.url}/orders`, description: "orders", events: ["message"] });
  const lines = ["Selamat pagi!", "Is the blue one still there?", "Then I take two.", "Thank you"];
  for (const text of lines) await phones.say(FRIEND, number, text);
  for (const text of ["Yes, it is.", "They are on their way."]) {
    await rest("POST", "/message/send-text", { session: ours, to: FRIEND, text });
  }
  await rest("POST", "/admin/users", { username: "shop-jakarta", password: "a:secret" });
  await rest("POST", "/admin/users", { username: "shop-bandung", password: "a:secret" });
  await rest("POST", "/api-keys", { name: "shop backend", scopes: ["messages:send", "messages:read"] });
  await rest("POST", "/session/start", { session: "warehouse" });
  await link("bandung", BRANCH);
  await phones.ask("POST", `/accounts/${BRANCH}/kick`, { kind: "removed" });
  await eventually("a webhook that was tried and given up", refused);
}

/** A webhook that was refused; those that waited behind it were given up untried. */
async function refused() {
  return (await rest("GET", "/webhook/deliveries?state=dead")).data.find(({ attempts }) => attempts > 0);
}

async function shoot(scheme) {
  const { page } = await open({ screen: "desktop", scheme });
  await page.goto(`${GATEWAY}/app/login`);
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
  await take(page, "log-in");
  await logIn(page);
  const dead = await refused();
  const users = (await rest("GET", "/admin/users")).data;
  const user = users.find(({ username }) => username === "shop-jakarta");
  const pages = {
    sessions: ["/app", ours],
    session: [`/app/sessions/${ours}`, "Traffic"],
    messages: [`/app/sessions/${ours}/messages`, "Then I take two."],
    send: [`/app/sessions/${ours}/send`, "What to send"],
    link: ["/app/sessions/warehouse/link", "A new code in"],
    webhooks: ["/app/webhooks", "the old shop"],
    deliveries: [`/app/webhooks/deliveries?session=${ours}`, "shown"],
    delivery: [`/app/webhooks/deliveries/${dead.id}`, "moved away"],
    authentication: ["/app/webhooks/authentication", "Kind"],
    keys: ["/app/keys", "shop backend"],
    admin: ["/app/admin", "Takes sessions"],
    users: ["/app/admin/users", "shop-jakarta"],
    user: [`/app/admin/users/${user.id}`, "New password"],
    audit: ["/app/admin/audit", "Logged in"],
  };
  for (const [name, [path, words]] of Object.entries(pages)) {
    await page.goto(`${GATEWAY}${path}`);
    await page.getByText(words).first().waitFor();
    await take(page, name);
  }
}

async function phoneAndDark() {
  const small = await open({ screen: "phone", scheme: "light" });
  await logIn(small.page);
  await small.page.getByText(ours).first().waitFor();
  await take(small.page, "phone-sessions");
  const dark = await open({ screen: "desktop", scheme: "dark" });
  await logIn(dark.page);
  await dark.page.getByText(ours).first().waitFor();
  await take(dark.page, "dark-sessions");
}

async function take(page, name) {
  await page.waitForLoadState("networkidle", { timeout: 2_000 }).catch(() => {});
  const path = join(folder, `${name}.png`);
  const picture = await page.screenshot({ path, scale: "css", animations: "disabled" });
  process.stdout.write(`${path} ${picture.length}\n`);
  if (picture.length > LARGEST) throw new Error(`${path} is larger than ${LARGEST} bytes`);
}
