// What goes wrong: log-ins that end, a gateway that is away or slow, many of everything, hostile names.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { close, closePages, eventually, GATEWAY, goTo, logIn, open, phones, Receiver, rest, sees } from "./stage.js";

after(close);
afterEach(closePages);

const PID = Number(process.env.GATEWAY_PID);

test("a log-in that ended is asked for again, and nothing typed is lost", async () => {
  const { page, context, faults } = await open();
  await logIn(page, "admin", "admin", "/app/webhooks");
  await page.getByRole("button", { name: "Add an endpoint" }).click();
  await page.getByRole("dialog").getByLabel("Address").fill("http://127.0.0.1:9/typed");
  await context.clearCookies();
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  const again = page.getByRole("dialog", { name: "You are logged out" });
  await again.getByLabel("Password", { exact: true }).fill("admin");
  await again.getByRole("button", { name: "Log in", exact: true }).click();
  await again.waitFor({ state: "detached" });
  const form = page.getByRole("dialog", { name: "Add an endpoint" });
  assert.equal(await form.getByLabel("Address").inputValue(), "http://127.0.0.1:9/typed");
  await form.getByRole("button", { name: "Create" }).click();
  await page.getByText(/^whsec_/).waitFor();
  assert.deepEqual(faults, []);
});

test("a gateway that is away or slow is said to be, and what is shown stays", async () => {
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/admin");
  await sees(page, "Runners");
  await page.getByText("Takes sessions").waitFor();
  await page.route("**/admin/**", (route) => (route.request().resourceType() === "document" ? route.continue() : route.abort()));
  await sees(page, "The gateway does not answer.");
  assert.ok(await page.getByText("Takes sessions").isVisible());
  await page.unroute("**/admin/**");
  await page.getByText("The gateway does not answer.").waitFor({ state: "detached" });

  process.kill(PID, "SIGSTOP");
  try {
    await sees(page, "The gateway is slow to answer");
    assert.ok(await page.getByText("Takes sessions").isVisible());
  } finally {
    process.kill(PID, "SIGCONT");
  }
  await page.getByText("The gateway is slow to answer").waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
});

test("two browsers that edit one endpoint do not overwrite each other", async () => {
  await rest("POST", "/webhook/endpoints", { url: "http://127.0.0.1:9/shared", description: "shared" });
  const [one, other] = [await open(), await open()];
  for (const { page } of [one, other]) {
    await logIn(page, "admin", "admin", "/app/webhooks");
    await page.getByRole("button", { name: "More about http://127.0.0.1:9/shared" }).click();
    await page.getByRole("menuitem", { name: "Edit" }).click();
    await page.getByRole("dialog").getByLabel("What it is for").waitFor();
  }
  await one.page.getByRole("dialog").getByLabel("What it is for").fill("the first one's");
  await one.page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await sees(one.page, "The endpoint is changed.");
  const form = other.page.getByRole("dialog");
  await form.getByLabel("What it is for").fill("the second one's");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByText("Somebody else changed this meanwhile").waitFor();
  await form.getByRole("button", { name: "Show what it is now" }).click();
  await eventually("what it is now", async () => (await form.getByLabel("What it is for").inputValue()) === "the first one's");
  await form.getByLabel("What it is for").fill("the second one's");
  await form.getByRole("button", { name: "Save" }).click();
  await sees(other.page, "the second one's");
  assert.deepEqual([...one.faults, ...other.faults], []);
});

test("mark-up in names is text", async () => {
  const name = `<img src=x onerror=alert(1)>`;
  await rest("POST", "/admin/users", { username: `<b>${"bold"}<b>`, password: "bold:pass" });
  await rest("POST", "/webhook/endpoints", { url: "http://127.0.0.1:9/x?<script>", description: name });
  const { page, faults } = await open();
  page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`));
  await logIn(page, "admin", "admin", "/app/admin/users");
  await page.getByRole("link", { name: "<b>bold<b>" }).click();
  await page.getByRole("heading", { name: "<b>bold<b>" }).waitFor();
  await goTo(page, "Webhooks");
  await sees(page, name);
  assert.equal(await page.locator("main b, main img[src=x]").count(), 0);
  assert.deepEqual(faults, []);
});

test("a thousand dead letters stay smooth, and are replayed at once", async () => {
  const MANY = 1000;
  const receiver = await new Receiver().start();
  receiver.status = 500;
  const session = "crowd";
  const started = await rest("POST", "/session/start", { session });
  await phones.ask("POST", "/scan", { phone: "628110000041", qr: started.qr });
  await eventually("connected", async () => (await rest("GET", `/status/${session}`)).connected);
  await phones.create("628110000042", "Crowd");
  const { data: endpoint } = await rest("POST", "/webhook/endpoints", { url: receiver.url, events: ["message"] });
  for (let sent = 0; sent < MANY; sent += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => phones.say("628110000042", "628110000041", `message ${sent + n}`)),
    );
  }
  const health = async () => (await rest("GET", `/webhook/endpoints/${endpoint.id}`)).data;
  await eventually("all of them", async () => (await health()).pending >= MANY, 60_000);
  await rest("PUT", `/webhook/endpoints/${endpoint.id}`, { enabled: false });
  await eventually("all given up", async () => (await health()).dead >= MANY, 60_000);
  receiver.status = 200;
  await rest("PUT", `/webhook/endpoints/${endpoint.id}`, { enabled: true });

  const { page, faults } = await open();
  await logIn(page, "admin", "admin", `/app/webhooks/deliveries?state=dead&endpoint=${endpoint.id}`);
  const list = page.getByRole("list", { name: "Deliveries, the newest first" });
  await list.getByText("Given up").first().waitFor();
  // To the end, as fast as a hand can: every page comes, and only what is near the screen is ever drawn.
  await eventually(
    "the last one",
    async () => {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      assert.ok((await list.getByRole("listitem").count()) < 60, "only what can be seen is drawn");
      return page.getByText(`1,000 shown`, { exact: true }).isVisible();
    },
    60_000,
  );
  const typical = await page.evaluate(typicalFrame);
  assert.ok(typical < 100, `a frame takes ${typical} ms`);

  const before = receiver.received.length;
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.getByRole("button", { name: "Replay all given up" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Replay all given up" }).click();
  await sees(page, "1,000 are due now.");
  await eventually("all of them", () => receiver.received.length - before >= MANY, 60_000);
  const texts = new Set(receiver.received.slice(before).map(({ body }) => body.message));
  assert.equal(texts.size, MANY);
  assert.deepEqual(faults, []);
});

test("a thousand sessions stay smooth", async () => {
  const { page, faults } = await open();
  await logIn(page);
  const list = page.getByRole("list", { name: "Sessions" });
  await list.getByText("number-0000").waitFor();
  await eventually(
    "the last one",
    async () => {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
      assert.ok((await list.getByRole("listitem").count()) < 60, "only what can be seen is drawn");
      return list.getByText("number-0999").isVisible();
    },
    60_000,
  );
  const typical = await page.evaluate(typicalFrame);
  assert.ok(typical < 100, `a frame takes ${typical} ms`);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.getByRole("searchbox").fill("number-0777");
  await list.getByText("number-0777").waitFor();
  await eventually("only that one", async () => (await list.getByRole("listitem").count()) === 1);
  assert.deepEqual(faults, []);
});

test("a code that nobody scans is said to have run out", async () => {
  const { page, faults } = await open();
  await logIn(page);
  await page.getByRole("button", { name: "New session" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("unscanned");
  await page.getByRole("button", { name: "Go on to the QR code" }).click();
  const code = page.getByAltText("QR code to scan with WhatsApp");
  await code.waitFor();
  const first = await code.getAttribute("src");
  await eventually("another code", async () => (await code.getAttribute("src")) !== first, 90_000);
  await rest("POST", "/session/unscanned/stop");
  await sees(page, "The code ran out");
  await page.getByRole("button", { name: "Show a new code" }).click();
  await code.waitFor();
  assert.deepEqual(faults, []);
});

/** How long a frame takes while the page scrolls from end to end: the median, since the machine has other work. Runs in the page. */
async function typicalFrame() {
  const frame = () => new Promise(requestAnimationFrame);
  const took = [];
  let before = await frame();
  for (let at = document.documentElement.scrollHeight; at >= 0; at -= 400) {
    window.scrollTo(0, at);
    const now = await frame();
    took.push(now - before);
    before = now;
  }
  return took.sort((a, b) => a - b)[Math.floor(took.length / 2)];
}
