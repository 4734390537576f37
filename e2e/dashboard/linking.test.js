// How numbers come to be linked, and go: by a code that is typed, by a link for somebody without an account; what a user
// who has nothing yet is told; and the way through the pages without a mouse.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { act, close, closePages, confirm, eventually, GATEWAY, goTo, link, logIn, open, phones, rest, sees } from "./stage.js";

after(close);
afterEach(closePages);

test("a user who has nothing yet is taught the next step on every page", async () => {
  await rest("POST", "/admin/users", { username: "anna", password: "anna:pass" });
  const { page, faults } = await open();
  await logIn(page, "anna", "anna:pass");
  await sees(page, "Link your first number");
  assert.equal(await page.getByRole("searchbox").count(), 0, "there is nothing to look for");
  await goTo(page, "Webhooks");
  await sees(page, "Nothing is told to anybody yet");
  await page.getByRole("button", { name: "Add an endpoint" }).waitFor();
  await page.getByRole("link", { name: "Deliveries" }).first().click();
  await page.getByRole("link", { name: "To the endpoints" }).waitFor();
  await goTo(page, "API keys");
  await sees(page, "No keys yet");
  await page.goto(`${GATEWAY}/app/admin`);
  await sees(page, "Admin access required");

  await goTo(page, "Sessions");
  await page.getByRole("button", { name: "New session" }).first().click();
  await page.getByRole("button", { name: "Go on to the QR code" }).click();
  await sees(page, "A session needs a name.");
  await page.getByLabel("Name", { exact: true }).fill("shop");
  await page.getByRole("button", { name: "Go on to the QR code" }).click();
  await page.getByRole("heading", { name: "anna_shop" }).waitFor();
  await phones.scan("anna_shop", "628110000061", "anna:anna:pass");
  await sees(page, /is linked and connected/);
  await page.getByRole("link", { name: "Messages", exact: true }).click();
  await sees(page, "No messages yet");
  await page.getByRole("link", { name: "Send a message" }).click();
  await page.getByRole("group", { name: "What to send" }).waitFor();
  assert.deepEqual(faults, []);
});

test("a number is linked with a code that is typed on the phone", async () => {
  const phone = "628110000062";
  await phones.create(phone, "Dewi");
  const { page, faults } = await open();
  await logIn(page);
  await page.getByRole("button", { name: "New session" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("typed");
  await page.getByRole("button", { name: "Go on to the QR code" }).click();
  await page.getByRole("button", { name: "Get a code" }).click();
  await sees(page, "Type the number with its country code, digits only.");
  await page.getByLabel("Phone number with country code").fill("+62 811 0000 062");
  await page.getByRole("button", { name: "Get a code" }).click();
  const code = await page.locator("output").textContent();
  await phones.ask("POST", "/pair-code", { phone, code: code.replaceAll("-", "") });
  await sees(page, "+628110000062 is linked and connected.");
  assert.deepEqual(faults, []);
});

test("somebody without an account links one session by a link, and sees nothing else", async () => {
  const phone = "628110000063";
  const { page, faults } = await open();
  await rest("POST", "/session/start", { session: "branch" });
  await logIn(page, "admin", "admin", "/app/sessions/branch/link");
  await page.getByRole("button", { name: "Share a link" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  const url = await dialog.getByLabel("Link", { exact: true }).inputValue();
  assert.ok(url.startsWith(`${GATEWAY}/link/`), url);

  const theirs = await open();
  const asked = [];
  theirs.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await theirs.page.goto(url);
  await theirs.page.getByRole("heading", { name: "Link “branch”" }).waitFor();
  await theirs.page.getByAltText("QR code to scan with WhatsApp").waitFor();
  assert.equal(await theirs.page.getByRole("navigation").count(), 0);
  await phones.scan("branch", phone);
  // Not even the number: a link may be passed on.
  await sees(theirs.page, "The number is linked and connected.");
  await sees(theirs.page, "You can close this page.");
  const elsewhere = asked.filter((path) => !/^\/(link|app)\//.test(path));
  assert.deepEqual(elsewhere, [], "it asks for nothing but its own session");
  await page.keyboard.press("Escape");
  await sees(page, `+${phone} is linked and connected.`);

  // A link that was taken back is worth nothing any more.
  const other = await rest("POST", "/session/branch/share", {});
  await rest("DELETE", "/session/branch/share");
  await theirs.page.goto(new URL((other.data ?? other).url, GATEWAY).href);
  await sees(theirs.page, "This link does not work any more");
  assert.deepEqual([...faults, ...theirs.faults], []);
});

test("a session is restarted, stopped, started and logged out from its page", async () => {
  await link("till", "628110000064");
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/sessions/till");
  const happened = page.getByRole("region", { name: "What happened" });
  await page.getByRole("button", { name: "Restart" }).click();
  await confirm(page, "Restart");
  await happened.getByText("Connected").nth(1).waitFor();
  await act(page, "Stop");
  await confirm(page, "Stop");
  await happened.getByText("Stopped", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("button", { name: "Restart" }).waitFor();
  await happened.getByText("Connected").nth(2).waitFor();
  await act(page, "Log out and remove");
  await confirm(page, "Cancel");
  await act(page, "Log out and remove");
  await confirm(page, "Log out and remove");
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  await eventually("it is gone", async () => (await page.getByRole("link", { name: /till/ }).count()) === 0);
  assert.deepEqual(faults, []);
});

test("one logs in and out, also by the old addresses, and the looks are remembered", async () => {
  const { page, faults, context } = await open();
  await page.goto(`${GATEWAY}/`);
  for (const name of ["Dashboard", "Admin", "API"]) {
    await page.getByRole("link", { name: new RegExp(name) }).first().waitFor();
  }
  await page.goto(`${GATEWAY}/app/keys`);
  await page.getByLabel("User name").fill("admin");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("alert").getByText("User name or password is wrong.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill("admin");
  await page.keyboard.press("Enter");
  // Where they wanted to go.
  await page.getByRole("heading", { name: "API keys" }).waitFor();
  await page.getByRole("button", { name: "Account of admin" }).click();
  await page.getByRole("menuitem", { name: "Dark" }).click();
  await page.reload();
  const scheme = () => page.evaluate(() => document.documentElement.dataset.mantineColorScheme);
  await page.getByRole("heading", { name: "API keys" }).waitFor();
  assert.equal(await scheme(), "dark");
  await page.getByRole("button", { name: "Account of admin" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
  assert.equal((await context.cookies()).length, 0);

  const old = await (await context.browser()).newContext({ httpCredentials: { username: "admin", password: "admin" } });
  const known = await old.newPage();
  for (const [path, heading] of [["/dashboard", "Sessions"], ["/admin", "Admin"]]) {
    await known.goto(`${GATEWAY}${path}`);
    await known.getByRole("heading", { name: heading, level: 1 }).waitFor();
  }
  await old.close();
  assert.deepEqual(faults, []);
});

test("the pages can be used without a mouse", async () => {
  const { page, faults } = await open({ screen: "desktop" });
  await page.goto(`${GATEWAY}/app`);
  await page.getByLabel("User name").focus();
  await page.keyboard.type("admin");
  await page.keyboard.press("Tab");
  await page.keyboard.type("admin");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
  const tabTo = async (text) => {
    for (let tries = 0; tries < 40; tries += 1) {
      await page.keyboard.press("Tab");
      if ((await focused()).trim() === text) return;
    }
    assert.fail(`the keyboard does not reach ${text}`);
  };
  await page.evaluate(() => document.activeElement?.blur());
  await tabTo("Skip to the content");
  await page.keyboard.press("Enter");
  await tabTo("New session");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "New session" });
  await dialog.waitFor();
  await eventually("the focus in the field", () =>
    dialog.getByLabel("Name", { exact: true }).evaluate((input) => input === document.activeElement));
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await eventually("the focus back on the button", async () => (await focused()).trim() === "New session");
  assert.deepEqual(faults, []);
});
