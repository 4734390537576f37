// What the tests of the dashboard stand on: the gateway's REST API, the phones of the test's WhatsApp server, a webhook
// receiver, and a browser that notices what no page may do.

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

/** Where the gateway is; begins every address. */
export const GATEWAY = process.env.GATEWAY ?? "http://127.0.0.1:5001";
/** The control API of the test's WhatsApp server. */
const PHONES = process.env.PHONES ?? "http://127.0.0.1:5002";
/** `phone` for a small screen with touch. */
export const IS_PHONE = process.env.SCREEN === "phone";

export const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

const PATIENCE_MS = 20_000;

/** Waits until a probe says something. */
export async function eventually(what, probe, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: it did not come`);
    await pause(50);
  }
}

/** Asks the gateway as a program does, with a name and a password. */
export async function rest(method, path, body, login = "admin:admin") {
  const response = await fetch(`${GATEWAY}${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(login).toString("base64")}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** What a person with a phone does. */
export const phones = {
  async ask(method, path, body) {
    const response = await fetch(`${PHONES}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  },
  /** Scans what a session offers. */
  async scan(session, phone, login) {
    const qr = await eventually(`a code of ${session}`, async () => {
      const { data } = await rest("GET", `/session/${encodeURIComponent(session)}/qr`, undefined, login);
      return data.qr;
    });
    await this.ask("POST", "/scan", { phone, qr });
  },
  create: (phone, push_name) => phones.ask("POST", "/accounts", { phone, push_name }),
  say: (phone, to, text) => phones.ask("POST", `/accounts/${phone}/say`, { to, text }),
  inbox: (phone) => phones.ask("GET", `/accounts/${phone}/inbox`),
};

/** Links a number without the dashboard. */
export async function link(session, phone, login) {
  const started = await rest("POST", "/session/start", { session }, login);
  const name = started.session ?? started.data.session;
  await phones.scan(name, phone, login);
  await eventually(`${name} connected`, async () => {
    const status = await rest("GET", `/status/${encodeURIComponent(name)}`, undefined, login);
    return status.connected;
  });
  return name;
}

/** Somebody's webhook receiver: keeps what arrives, and answers as it is told. */
export class Receiver {
  received = [];
  status = 200;
  answer = "";

  async start() {
    this.server = createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(parts).toString() || "null");
        this.received.push({ path: request.url, headers: request.headers, body });
        response.writeHead(this.status).end(this.answer);
      });
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    // It keeps nobody from coming to an end.
    this.server.unref();
    this.url = `http://127.0.0.1:${this.server.address().port}/hook`;
    return this;
  }
}

let browser;
const contexts = [];

async function theBrowser() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // There is no sandbox for root, nor in most containers.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  return browser;
}

/** Closes what was opened: pages that nobody looks at go on asking the gateway. */
export async function closePages() {
  for (const context of contexts.splice(0)) await context.close();
}

/** Ends the browser, without which a program does not end. */
export const close = () => browser?.close();

/**
 * A browser of somebody's own. What no page may ever do ends up in `faults`: errors that nobody handled, what the
 * policy refused, requests to other hosts.
 */
export async function open(options = {}) {
  const screen = SCREENS[options.screen ?? (IS_PHONE ? "phone" : "desktop")];
  const context = await (await theBrowser()).newContext({
    ...screen,
    locale: "en-GB",
    timezoneId: "Asia/Jakarta",
    colorScheme: options.scheme ?? "light",
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  contexts.push(context);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.stack ?? error}`));
  page.on("console", (message) => {
    const text = message.text();
    // The browser's own line about an answer such as 401, which pages deal with.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) faults.push(`console: ${text}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(options.base ?? GATEWAY).origin) {
      faults.push(`another host: ${request.url()}`);
    }
  });
  page.setDefaultTimeout(PATIENCE_MS);
  return { context, page, faults };
}

/** Opens the dashboard and logs in with the form. */
export async function logIn(page, username = "admin", password = "admin", path = "/app") {
  await page.goto(`${GATEWAY}${path}`);
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

/** Goes to a place by its link. */
export async function goTo(page, place) {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: place, exact: true }).click();
}

/** Does with a session what is in the menu of its page. */
export async function act(page, item) {
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

/** Answers what is asked with one of its buttons. */
export async function confirm(page, answer) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: answer, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

/** An element that says these words, soon. */
export async function sees(page, words, options) {
  await page.getByText(words, options).first().waitFor();
}
