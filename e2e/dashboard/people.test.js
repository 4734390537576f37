// What people do all day, from the first link to a webhook that failed. Runs on a desktop's screen and on a phone's.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { authorizationServer, CLIENT } from "./authorization-server.js";
import { close, closePages, eventually, GATEWAY, goTo, link, logIn, open, phones, Receiver, rest, sees } from "./stage.js";

after(close);
afterEach(closePages);

const OURS = "628110001001";
const THEIRS = "628110001002";
// One pixel.
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

test("a number is linked from the page, and is seen to connect by itself", async () => {
  const { page, faults } = await open();
  await logIn(page);
  await page.getByRole("button", { name: "New session" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("shop");
  await page.getByRole("button", { name: "Go on to the QR code" }).click();
  await page.getByAltText("QR code to scan with WhatsApp").waitFor();
  await sees(page, "A new code in");
  let navigations = 0;
  page.on("framenavigated", () => {
    navigations += 1;
  });
  await phones.scan("shop", OURS);
  await sees(page, /is linked and connected/);
  await page.getByRole("link", { name: "Send a message" }).click();
  await goTo(page, "Sessions");
  const row = page.getByRole("link", { name: /shop/ });
  await row.getByText("Connected").waitFor();
  await row.getByText("+628110001001").waitFor();
  // Its phone unlinks it: the list says so, and what to do, without being loaded again.
  const loaded = navigations;
  await phones.ask("POST", `/accounts/${OURS}/kick`, { kind: "removed" });
  await row.getByText("Logged out").waitFor();
  await row.getByText(/link/i).first().waitFor();
  assert.equal(navigations, loaded, "nothing was loaded again");
  assert.deepEqual(faults, []);
});

test("an image is sent, and its way is shown", async () => {
  await link("images", "628110000011");
  await phones.create(THEIRS, "Budi");
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/sessions/images/send");
  await page.getByRole("group", { name: "What to send" }).getByText("Image", { exact: true }).click();
  await page.getByLabel("To", { exact: true }).fill(THEIRS);
  await page.locator("input[type=file]").setInputFiles({ name: "a.png", mimeType: "image/png", buffer: PNG });
  await page.getByLabel("Caption").fill("<b>halo</b>");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await sees(page, "On its way");
  await page.locator("li[data-reached]").getByText("Sent").waitFor();
  await eventually("something on the phone", async () => {
    const inbox = await phones.inbox(THEIRS);
    return inbox.some(({ from }) => from === "628110000011");
  });
  await page.getByRole("link", { name: "Messages", exact: true }).click();
  const row = page.getByRole("listitem").filter({ hasText: "<b>halo</b>" });
  await row.getByText("Image", { exact: true }).waitFor();
  assert.deepEqual(faults, []);
});

test("a webhook that fails is seen, and is replayed", async () => {
  const receiver = await new Receiver().start();
  receiver.status = 410;
  receiver.answer = "gone fishing";
  await link("hooks", "628110000021");
  await phones.create("628110000022", "Citra");
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/webhooks");
  await page.getByRole("button", { name: "Add an endpoint" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("hook");
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByText("Write an address that begins with http").waitFor();
  await dialog.getByLabel("Address").fill(receiver.url);
  await dialog.getByLabel("What it is for").fill("orders");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.getByText(/^whsec_/).waitFor();
  await page.getByRole("button", { name: "Copy" }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^whsec_/);
  await dialog.locator("footer, div").getByRole("button", { name: "Close" }).last().click();

  // The first one is the gateway's own, WEBHOOK_BASE_URL.
  await page.getByRole("button", { name: "Send a test" }).last().click();
  await page.getByRole("dialog").getByText("gone fishing").waitFor();
  await page.keyboard.press("Escape");

  await phones.say("628110000022", "628110000021", "first order");
  await sees(page, "410");
  await sees(page, "Off", { exact: true });
  receiver.status = 200;
  receiver.answer = "";
  await page.getByRole("button", { name: `More about ${receiver.url}` }).click();
  await page.getByRole("menuitem", { name: "Turn on" }).click();
  // It is on again, and its last answer was no good one.
  await sees(page, "Failing", { exact: true });
  await page.getByRole("link", { name: "Deliveries" }).last().click();
  const list = page.getByRole("list", { name: "Deliveries, the newest first" });
  await list.getByText("Given up").first().waitFor();
  await list.getByRole("link", { name: "Messages · hooks" }).first().click();
  await page.getByRole("table").getByText("gone fishing").waitFor();
  await sees(page, '"first order"');
  const before = receiver.received.length;
  await page.getByRole("button", { name: "Replay" }).click();
  await page.getByText("Delivered", { exact: true }).waitFor();
  const arrived = receiver.received.slice(before).filter(({ body }) => body.message === "first order");
  assert.equal(arrived.length, 1);
  assert.equal(arrived[0].headers["webhook-signature"].split(" ").length, 1);

  // While the signing secret is changed, both sign.
  await goTo(page, "Webhooks");
  await page.getByRole("button", { name: `More about ${receiver.url}` }).click();
  await page.getByRole("menuitem", { name: "New signing secret" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "New signing secret" }).click();
  await page.getByText(/^whsec_/).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await phones.say("628110000022", "628110000021", "second order");
  const second = await eventually("the second order", () =>
    receiver.received.find(({ body }) => body.message === "second order"));
  assert.equal(second.headers["webhook-signature"].split(" ").length, 2);
  assert.deepEqual(faults, []);
});

test("webhooks carry a name and a password, or a token", async () => {
  const receiver = await new Receiver().start();
  await rest("POST", "/admin/users", { username: "wira", password: "wira:pass" });
  const { page, faults } = await open();
  await logIn(page, "wira", "wira:pass", "/app/webhooks");
  await page.getByLabel("Callback address").fill(receiver.url);
  await page.getByRole("button", { name: "Save" }).click();
  await sees(page, "The callback is saved.");
  const carried = async () => {
    await goTo(page, "Webhooks");
    const before = receiver.received.length;
    await page.getByRole("button", { name: "Send a test" }).last().click();
    await page.getByRole("dialog").getByText(/^Delivered: it answered 200/).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Authentication" }).click();
    return receiver.received.slice(before).at(-1).headers.authorization;
  };
  const choose = async (kind, fields) => {
    await page.getByRole("combobox", { name: "Kind" }).click();
    await page.getByRole("option", { name: kind }).click();
    for (const [name, value] of Object.entries(fields)) await page.getByLabel(name, { exact: true }).fill(value);
    await page.getByRole("button", { name: "Save" }).click();
    await sees(page, "The authentication is saved.");
  };
  assert.equal(await carried(), undefined);
  await choose("Name and password", { "User name": "shop", Password: "s3cret" });
  assert.equal(await carried(), `Basic ${Buffer.from("shop:s3cret").toString("base64")}`);
  await choose("Token", { Token: "a-token-of-theirs" });
  assert.equal(await carried(), "Bearer a-token-of-theirs");
  assert.deepEqual(faults, []);
});

test("webhooks authenticate with OAuth2, by a button and through the browser", async () => {
  const server = await authorizationServer();
  const { page, faults, context } = await open();
  // The authorization server is another host on purpose.
  const ours = () => faults.filter((fault) => !fault.includes(server.url));
  await rest("POST", "/admin/users", { username: "olga", password: "olga:pass" });
  await logIn(page, "olga", "olga:pass", "/app/webhooks/authentication");
  await page.getByRole("combobox", { name: "Kind" }).click();
  await page.getByRole("option", { name: "OAuth2" }).click();
  await page.getByLabel("Client id").fill(CLIENT.id);
  await page.getByLabel("Client secret").fill("wrong");
  await page.getByLabel("Token address").fill(`${server.url}/token`);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Get a token" }).click();
  await page.getByRole("alert").getByText("invalid_client").waitFor();
  await page.getByLabel("Client secret").fill(CLIENT.secret);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Get a token" }).click();
  await sees(page, "A token is held.");

  // Saved again: the token is dropped, and comes back through the browser.
  await page.getByRole("button", { name: "Save" }).click();
  await sees(page, "No token is held yet");
  await page.getByLabel("Authorization address").fill(`${server.url}/authorize`);
  await page.getByRole("button", { name: "Log in there" }).click();
  await page.getByRole("link", { name: "Allow" }).click();
  await sees(page, "The gateway holds a token now.");
  assert.ok(page.url().startsWith(GATEWAY));
  await page.getByRole("link", { name: "To the authentication of webhooks" }).click();
  await sees(page, "A token is held.");
  assert.equal(server.tokens.size, 2);
  // A code that was used is worth nothing, and the page says so.
  await page.goto(`${GATEWAY}/app/webhooks/oauth2-back?code=123&state=456`);
  await page.getByRole("alert").waitFor();
  assert.deepEqual(ours(), []);
  await context.close();
});

test("a user is made, and sees only their own", async () => {
  await link("private", "628110000031");
  const { page, faults } = await open();
  await logIn(page);
  await goTo(page, "Admin");
  await page.getByRole("link", { name: "Users" }).click();
  await page.getByRole("button", { name: "Create a user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("User name").fill("an");
  await dialog.getByLabel("Password", { exact: true }).fill("anna:pass");
  await dialog.getByRole("button", { name: "Create a user" }).click();
  await dialog.getByText("At least 3 characters.", { exact: true }).waitFor();
  await dialog.getByLabel("User name").fill("anna");
  await dialog.getByRole("button", { name: "Create a user" }).click();
  await sees(page, "anna can log in now.");
  await page.getByRole("link", { name: "anna", exact: true }).waitFor();

  const hers = await open();
  await logIn(hers.page, "anna", "anna:pass");
  await sees(hers.page, "Link your first number");
  assert.equal(await hers.page.getByRole("link", { name: "Admin" }).count(), 0);
  await link("shop", "628110000032", "anna:anna:pass");
  await hers.page.getByRole("link", { name: /anna_shop/ }).waitFor();
  assert.equal(await hers.page.getByText("private").count(), 0);
  await hers.page.goto(`${GATEWAY}/app/sessions/private`);
  await sees(hers.page, "There is no such session");

  // Another password: she is out at once, wherever she was.
  await page.getByRole("link", { name: "anna", exact: true }).click();
  await page.getByRole("link", { name: "anna_shop" }).waitFor();
  await page.getByLabel("Callback address").fill("http://127.0.0.1:9/annas");
  await page.getByRole("button", { name: "Save" }).first().click();
  await sees(page, "It is saved.");
  const { callback_url } = (await rest("GET", "/dashboard/session-info", undefined, "anna:anna:pass")).data;
  assert.equal(callback_url, "http://127.0.0.1:9/annas");
  await page.getByLabel("New password").fill("another:pass");
  await page.getByRole("button", { name: "Set the password" }).click();
  await sees(page, "The password is changed.");
  await hers.page.goto(`${GATEWAY}/app`);
  await hers.page.getByRole("button", { name: "Log in", exact: true }).waitFor();

  await page.getByRole("button", { name: "Delete this user" }).click();
  const sure = page.getByRole("dialog");
  await sure.getByRole("button", { name: "Delete", exact: true }).click();
  await sure.getByRole("alert").waitFor();
  await sure.getByLabel("Type anna to confirm").fill("anna");
  await sure.getByRole("button", { name: "Delete", exact: true }).click();
  await sees(page, "anna is deleted.");
  await page.getByRole("link", { name: "Audit log" }).click();
  const log = page.getByRole("table");
  for (const deed of ["User created", "User deleted", "Password changed", "Logged in"]) {
    await log.getByText(deed).first().waitFor();
  }
  assert.deepEqual([...faults, ...hers.faults], []);
});

test("an API key is made, shown once, works for what it is for, and is revoked", async () => {
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/keys");
  await page.getByRole("button", { name: "Create a key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  await dialog.getByText("Give it a name.").waitFor();
  await dialog.getByLabel("Name").fill("<i>backend</i>");
  await dialog.getByLabel("See how sessions are").check();
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  const secret = await page.getByRole("dialog").getByText(/^wag_/).textContent();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("row", { name: /<i>backend<\/i>/ }).waitFor();
  assert.equal(await page.getByText(secret).count(), 0);

  const by = async (path) =>
    (await fetch(`${GATEWAY}${path}`, { headers: { authorization: `Bearer ${secret}` } })).status;
  assert.equal(await by("/status"), 200);
  assert.equal(await by("/webhook/endpoints"), 403);
  await page.getByRole("button", { name: "Revoke <i>backend</i>" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await sees(page, "No keys yet");
  assert.equal(await by("/status"), 401);
  assert.deepEqual(faults, []);
});
