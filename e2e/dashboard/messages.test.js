// What is sent from the page: every kind of message to a session beside it, how far each has come, and why one was not
// sent.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { act, close, closePages, confirm, eventually, GATEWAY, link, logIn, open, phones, rest, sees } from "./stage.js";

after(close);
afterEach(closePages);

const SHOP = "628110000051";
const FRIEND = "628110000052";
const CITRA = "628110000053";

before(async () => {
  await link("shop", SHOP);
  await link("friend", FRIEND);
  await phones.create(CITRA, "Citra");
});

/** Files that are what they say in their first bytes, which is where the gateway looks. */
const bytes = (...parts) => Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
const FILES = {
  image: ["a.png", "image/png", Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64")],
  video: ["film.mp4", "video/mp4", bytes("\0\0\0\x18ftypisom\0\0\0\0isommp42", Buffer.alloc(40_000, 7))],
  audio: ["song.mp3", "audio/mpeg", bytes("ID3\x04\0\0\0\0\0\0", Buffer.alloc(9_000, 5))],
  voice: ["note.ogg", "audio/ogg", bytes(oggPage(2, 0, bytes("OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0")), oggPage(4, 120_000, Buffer.alloc(200, 7)))],
  document: ["price list.pdf", "application/pdf", bytes("%PDF-1.7\n", Buffer.alloc(3_000, 9))],
};
FILES.sticker = FILES.image;

function oggPage(flags, samples, body) {
  const head = Buffer.alloc(28);
  head.write("OggS");
  head[5] = flags;
  head.writeBigUInt64LE(BigInt(samples), 6);
  head[14] = 1;
  head[26] = 1;
  head[27] = body.length;
  return Buffer.concat([head, body]);
}

const kindOf = (page, kind) =>
  page.getByRole("group", { name: "What to send" }).getByText(kind, { exact: true }).click();

async function type(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    await page.getByRole("textbox", { name, exact: true }).fill(value);
  }
}

async function put(page, kind) {
  const [name, mimeType, buffer] = FILES[kind];
  await page.locator("input[type=file]").setInputFiles({ name, mimeType, buffer });
}

const send = (page) => page.getByRole("button", { name: "Send", exact: true }).click();

const newest = async (session) => (await rest("GET", `/session/${session}/messages?direction=in&limit=1`)).data[0];

/** What has come in at the friend's when a message of this kind has. */
const arrived = (kind) =>
  eventually(`a message of the kind ${kind}`, async () => {
    const message = await newest("friend");
    const complete = message?.kind === kind && (!message.media || message.media.path);
    return complete && message;
  });

test("every kind of message is sent from the page, and arrives as it is", async () => {
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/sessions/shop/send");
  await page.getByLabel("To", { exact: true }).fill("+62 811-0000-052");
  const caption = { "Caption (optional)": "from the shop" };
  const kinds = [
    ["Text", "text", () => type(page, { Text: "Hello <b>you</b>" }), { text: "Hello <b>you</b>" }],
    ["Image", "image", () => type(page, caption), { text: "from the shop" }],
    ["Document", "document", () => type(page, caption), { text: "from the shop" }],
    ["Video", "video", () => type(page, caption), { text: "from the shop" }],
    ["Audio", "audio", () => {}, {}],
    ["Voice note", "voice", () => {}, {}],
    ["Sticker", "sticker", () => {}, {}],
    ["Location", "location", () => type(page, { Latitude: "-6.1754", Longitude: "106.8272" }), {}],
    ["Contact", "contact", () => type(page, { Name: "Citra", "Phone number": CITRA }), {}],
    ["Poll", "poll", () => type(page, { Question: "When?", "Answers, one a line": "Monday\nTuesday" }), {}],
  ];
  for (const [name, kind, fill, expected] of kinds) {
    await kindOf(page, name);
    if (FILES[kind]) await put(page, kind);
    await fill();
    await send(page);
    await page.locator("li[data-reached]").getByText("Sent").waitFor();
    const message = await arrived(kind);
    for (const [field, value] of Object.entries(expected)) assert.equal(message[field], value, name);
    // A picture becomes another one on its way to be a sticker; every other file stays what it was.
    if (FILES[kind] && kind !== "sticker") {
      assert.deepEqual(await download(message.media.path), FILES[kind][2], name);
    }
    await page.getByRole("button", { name: "Send another one" }).click();
  }

  // How it looks to those who got it; and their answer.
  await page.goto(`${GATEWAY}/app/sessions/friend/messages`);
  const rows = page.getByRole("list", { name: "Messages" }).getByRole("listitem");
  for (const [name] of kinds.slice(1)) await rows.getByText(name, { exact: true }).first().waitFor();
  const text = rows.filter({ hasText: "Hello <b>you</b>" });
  await rows.filter({ hasText: "price list.pdf" }).getByRole("link", { name: "Open the file" }).waitFor();
  await text.getByRole("link", { name: "React" }).click();
  await page.getByRole("textbox", { name: "Emoji" }).fill("🎉");
  await send(page);
  await page.locator("li[data-reached]").getByText("Sent").waitFor();
  await eventually("the reaction", async () => (await newest("shop"))?.kind === "reaction");
  await page.goto(`${GATEWAY}/app/sessions/friend/messages`);
  await text.getByRole("link", { name: "Reply" }).click();
  await sees(page, /^Replies to /);
  await type(page, { Text: "Thank you" });
  await send(page);
  await page.locator("li[data-reached]").getByText("Sent").waitFor();
  await eventually("the reply", async () => (await newest("shop"))?.text === "Thank you");

  // All of it is counted.
  await page.goto(`${GATEWAY}/app/sessions/shop`);
  await page.getByRole("img", { name: /^Messages sent and received\. 10 sent, 2 received, 0 failed/ }).waitFor();
  await page.getByRole("img", { name: /^From accepted until WhatsApp has it/ }).waitFor();
  assert.deepEqual(faults, []);
});

async function download(path) {
  const authorization = `Basic ${Buffer.from("admin:admin").toString("base64")}`;
  const response = await fetch(`${GATEWAY}${path}`, { headers: { authorization } });
  return Buffer.from(await response.arrayBuffer());
}

test("what cannot be sent says why, and what was typed stays", async () => {
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/sessions/shop/send");
  await send(page);
  await page.getByText("This is needed.").first().waitFor();
  const to = page.getByLabel("To", { exact: true });
  assert.ok(await to.evaluate((input) => input === document.activeElement), "the first wrong field has the focus");
  await to.fill("628119999999");
  await type(page, { Text: "anybody there?" });
  await send(page);
  await page.getByRole("alert").getByText(/628119999999 is not on WhatsApp/).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Text", exact: true }).inputValue(), "anybody there?");

  await to.fill(CITRA);
  await kindOf(page, "Video");
  await put(page, "document");
  await send(page);
  await page.getByRole("alert").getByText(/MP4 or 3GP/).waitFor();
  await put(page, "video");
  await send(page);
  await page.locator("li[data-reached]").getByText("Sent").waitFor();
  assert.deepEqual(faults, []);
});

test("a message waits for its session, and is seen to go out and to be read", async () => {
  const { page, faults } = await open();
  await logIn(page, "admin", "admin", "/app/sessions/shop");
  await act(page, "Stop");
  await confirm(page, "Stop");
  await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  await page.getByRole("link", { name: "Send", exact: true }).click();
  await page.getByLabel("To", { exact: true }).fill(CITRA);
  await type(page, { Text: "are you there?" });
  await send(page);
  await sees(page, "The session is not connected: it goes out as soon as it is.");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.locator("li[data-reached]").getByText("Delivered").waitFor();
  const { id } = await eventually("it at Citra's", async () =>
    (await phones.inbox(CITRA)).find(({ text }) => text === "are you there?"));
  await phones.ask("POST", `/accounts/${CITRA}/read`, { id });
  await page.locator("li[data-reached]").getByText("Read").waitFor();
  await page.getByRole("link", { name: "Messages", exact: true }).click();
  const row = page.getByRole("listitem").filter({ hasText: "are you there?" });
  await row.getByText("Read", { exact: true }).waitFor();
  assert.deepEqual(faults, []);
});
