// A contact that shares no code with the gateway: Baileys, unmodified, linked to the test's WhatsApp server.
//
//     node baileys.js <chat url> <root key> <folder for received files>
//
// Commands come in on standard input and events go out on standard output, one JSON object a line:
//
//     {"do":"send","to":jid,"content":{"text":"…"}}               → {"event":"sent","id":…}
//     {"do":"send","to":jid,"content":{"image":path,"caption":…}} (document, audio and video alike)
//     {"event":"qr","qr":…}  {"event":"open","jid":…,"lid":…}  {"event":"closed","reason":…}
//     {"event":"message","id":…,"chat":…,"participant":…,"type":…,"text":…,"file":…}
//     {"event":"receipt","id":…,"status":…}  {"event":"error","error":…}

import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import makeWASocket, {
  DisconnectReason,
  WA_CERT_DETAILS,
  downloadMediaMessage,
  extractMessageContent,
  getContentType,
  initAuthCreds,
} from "baileys";
import pino from "pino";

const [url, rootKey, folder] = process.argv.slice(2);
// WhatsApp's root key is a constant of the client; the test's server has one of its own. All checks stay on.
Buffer.from(rootKey, "hex").copy(WA_CERT_DETAILS.PUBLIC_KEY);

const MEDIA = ["image", "video", "audio", "document", "sticker"];
const logger = pino({ level: process.env.LOG_LEVEL ?? "warn" }, pino.destination(2));
const auth = { creds: initAuthCreds(), keys: memory() };
const sent = new Map();
let socket;

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const failed = (error) => tell({ event: "error", error: String(error?.stack ?? error) });

// What Baileys keeps of Signal: nothing here outlives the process.
function memory() {
  const kinds = {};
  const of = (kind) => (kinds[kind] ??= {});
  return {
    get: async (kind, ids) => Object.fromEntries(ids.filter((id) => of(kind)[id]).map((id) => [id, of(kind)[id]])),
    set: async (changes) => {
      for (const [kind, values] of Object.entries(changes)) Object.assign(of(kind), values);
    },
  };
}

function connect() {
  socket = makeWASocket({
    auth,
    logger,
    waWebSocketUrl: url,
    getMessage: async (key) => sent.get(key.id),
  });
  const on = (name, handler) => socket.ev.on(name, (value) => Promise.resolve(handler(value)).catch(failed));
  on("creds.update", (changes) => void Object.assign(auth.creds, changes));
  on("connection.update", changed);
  on("messages.upsert", async ({ messages }) => {
    for (const message of messages) await received(message);
  });
  on("messages.update", (updates) => {
    for (const { key, update } of updates) {
      if (update.status) tell({ event: "receipt", id: key.id, status: update.status });
    }
  });
}

function changed({ connection, qr, lastDisconnect }) {
  if (qr) tell({ event: "qr", qr });
  if (connection === "open") tell({ event: "open", jid: socket.user.id, lid: socket.user.lid });
  if (connection !== "close") return;
  const error = lastDisconnect?.error;
  if (error?.output?.statusCode === DisconnectReason.restartRequired) connect();
  else tell({ event: "closed", reason: String(error) });
}

async function received(message) {
  const content = extractMessageContent(message.message);
  const kind = content && getContentType(content);
  if (message.key.fromMe || !kind || kind === "protocolMessage") return;
  const part = content[kind];
  const event = {
    event: "message",
    id: message.key.id,
    chat: message.key.remoteJid,
    chatAlt: message.key.remoteJidAlt,
    participant: message.key.participant,
    participantAlt: message.key.participantAlt,
    pushName: message.pushName,
    type: kind.replace("Message", ""),
    text: content.conversation ?? part.text ?? part.caption ?? null,
  };
  if (MEDIA.includes(event.type)) {
    const { hosts } = await socket.refreshMediaConn(false);
    const bytes = await downloadMediaMessage(message, "buffer", { host: hosts[0].hostname });
    event.file = join(folder, message.key.id);
    await writeFile(event.file, bytes);
    event.mimetype = part.mimetype;
    event.fileName = part.fileName;
    event.ptt = part.ptt;
  }
  tell(event);
}

const commands = {
  send: async ({ to, content }) => {
    const media = MEDIA.find((kind) => kind in content);
    if (media) content = { ...content, [media]: { url: content[media] } };
    const message = await socket.sendMessage(to, content);
    sent.set(message.key.id, message.message);
    tell({ event: "sent", id: message.key.id });
  },
};

process.on("unhandledRejection", failed);
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command).catch(failed);
  })
  // Nobody gives commands any more.
  .on("close", () => process.exit(0));
connect();
