// How pages look and load: no serious fault for a screen reader in light and dark, a small first load, nothing that
// jumps, and the same behind a path prefix.

import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { createServer, request as forward } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { close, closePages, GATEWAY, goTo, link, logIn, open, phones, rest, sees } from "./stage.js";

const BUDGET = 250_000;

after(close);
afterEach(closePages);

let token;
let delivery;

before(async () => {
  await link("shop", "628110001001");
  await phones.create("628110001002", "Budi");
  await rest("POST", "/session/start", { session: "waiting" });
  await rest("POST", "/admin/users", { username: "anna", password: "anna:pass" });
  await rest("POST", "/api-keys", { name: "backend", scopes: ["messages:send"] });
  await rest("POST", "/webhook/endpoints", { url: "http://127.0.0.1:9/nobody", description: "orders" });
  await rest("POST", "/message/send-text", { session: "shop", to: "628110001002", text: "halo" });
  await phones.say("628110001002", "628110001001", "halo juga");
  const shared = await rest("POST", "/session/waiting/share", {});
  token = new URL((shared.data ?? shared).url, GATEWAY).pathname.split("/").at(-1);
  for (let tries = 0; !delivery && tries < 200; tries += 1) {
    delivery = (await rest("GET", "/webhook/deliveries?limit=1")).data[0]?.id;
  }
});

const PAGES = () => [
  ["/app", "Sessions"],
  ["/app/sessions/shop", "shop"],
  ["/app/sessions/shop/messages", "halo juga"],
  ["/app/sessions/shop/send", "What to send"],
  ["/app/sessions/waiting/link", "Linked devices"],
  ["/app/webhooks", "orders"],
  ["/app/webhooks/deliveries", "shown"],
  [`/app/webhooks/deliveries/${delivery}`, "What is sent"],
  ["/app/webhooks/authentication", "How your webhooks authenticate"],
  ["/app/keys", "backend"],
  ["/app/admin", "Takes sessions"],
  ["/app/admin/users", "anna"],
  ["/app/admin/users/2", "New password"],
  ["/app/admin/audit", "Logged in"],
  ["/app/nowhere", "There is no such page"],
];

for (const scheme of ["light", "dark"]) {
  for (const screen of ["desktop", "phone"]) {
    test(`no serious fault on any page, ${scheme}, ${screen}`, async () => {
      const { page, faults } = await open({ scheme, screen });
      await page.goto(`${GATEWAY}/app/login`);
      await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
      const found = await axe(page, "log-in");
      await logIn(page);
      for (const [path, words] of [...PAGES(), [`/link/${token}`, "Linked devices"]]) {
        await page.goto(`${GATEWAY}${path}`);
        await page.getByText(words).first().waitFor();
        found.push(...(await axe(page, path)));
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(overflow <= 0, `${path} is ${overflow} px wider than the screen`);
      }
      // What lies over a page.
      await page.goto(`${GATEWAY}/app/webhooks`);
      await page.getByRole("button", { name: "Add an endpoint" }).click();
      await page.getByRole("dialog").getByLabel("Address").waitFor();
      found.push(...(await axe(page, "a dialog")));
      assert.deepEqual(found, []);
      assert.deepEqual(faults, []);
    });
  }
}

async function axe(page, where) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${where}: ${id}: ${node.target.join(" ")}: ${node.failureSummary}`),
  );
}

test("the first load is small, and later ones come out of the browser's memory", async () => {
  const { page, context } = await open();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  // Pages that nobody has asked for yet come while the browser has nothing else to do: they are not counted.
  await page.addInitScript(() => {
    window.requestIdleCallback = () => 0;
  });
  await page.goto(`${GATEWAY}/app`);
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
  assert.ok(bytes > 50_000 && bytes <= BUDGET, `the first load is ${bytes} bytes`);
  await logIn(page);
  await page.getByRole("link", { name: /shop/ }).waitFor();
  bytes = 0;
  await page.reload();
  await page.getByRole("link", { name: /shop/ }).waitFor();
  assert.ok(bytes < 30_000, `loaded again it is ${bytes} bytes`);
});

test("nothing moves when something happens", async () => {
  const { page } = await open();
  await page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, sources } of list.getEntries()) {
        window.shifts.push({ value, what: sources.map(({ node }) => node?.textContent?.slice(0, 60)) });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  await logIn(page);
  const row = page.getByRole("link", { name: /shop/ });
  await row.getByText("Connected").waitFor();
  await page.evaluate(() => {
    window.shifts = [];
  });
  for (let n = 0; n < 10; n += 1) await phones.say("628110001002", "628110001001", `live ${n}`);
  await rest("POST", "/session/shop/restart");
  await row.getByText(/Connecting|Reconnecting/).waitFor();
  await row.getByText("Connected").waitFor();
  assert.deepEqual(await page.evaluate(() => window.shifts.filter(({ value }) => value >= 0.001)), []);

  await goTo(page, "Webhooks");
  await page.getByRole("link", { name: "Deliveries" }).first().click();
  await sees(page, "shown");
  await page.waitForLoadState("networkidle");
  await page.evaluate(() => {
    window.shifts = [];
  });
  await phones.say("628110001002", "628110001001", "one more");
  await page.getByText(/shown/).first().waitFor();
  await page.waitForTimeout(6_000);
  assert.deepEqual(await page.evaluate(() => window.shifts.filter(({ value }) => value >= 0.001)), []);
});

test("it works under a path prefix, through a proxy that says nothing about it", async () => {
  const target = new URL(GATEWAY);
  const proxy = createServer((request, response) => {
    if (!request.url.startsWith("/tools/wa/")) return response.writeHead(404).end("not here");
    const { hostname, port } = target;
    const onward = forward(
      { hostname, port, method: request.method, path: request.url.slice("/tools/wa".length), headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  proxy.unref();
  const base = `http://127.0.0.1:${proxy.address().port}`;
  const { page, faults } = await open({ base });
  const missing = [];
  page.on("response", (response) => response.status() === 404 && missing.push(response.url()));
  await page.goto(`${base}/tools/wa/`);
  await page.getByRole("link", { name: "Dashboard" }).click();
  await page.getByLabel("User name").fill("admin");
  await page.getByLabel("Password", { exact: true }).fill("admin");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("link", { name: /shop/ }).click();
  await page.getByRole("heading", { name: "shop" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/tools/wa/app/sessions/shop");
  await page.reload();
  await page.getByRole("heading", { name: "shop" }).waitFor();
  await goTo(page, "Webhooks");
  await sees(page, "orders");
  assert.deepEqual(missing.filter((url) => !url.includes("/picture")), []);
  assert.deepEqual(faults, []);
});
