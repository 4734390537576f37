import { expect, it } from "vitest";
import { built, NOTHING_TYPED, recipient, type Typed } from "./build-message";
import { KINDS, type Kind } from "./kinds";

const FILE = new File(["%PDF"], "invoice.pdf");
const TO = { to: "+62 811-0000 0002" };

const table: [Kind, Partial<Typed>, object][] = [
  ["text", { text: "hi", quoted: "3EB0" }, { text: "hi", quoted_message_id: "3EB0" }],
  [
    "image",
    { source: "url", url: " https://a.example/b.png ", text: "" },
    { image_url: "https://a.example/b.png", text: "" },
  ],
  [
    "voice",
    { source: "url", url: "https://a.example/b.ogg", text: "left over" },
    { audio_url: "https://a.example/b.ogg" },
  ],
  ["document", { file: FILE, text: "June" }, { text: "June" }],
  [
    "location",
    { latitude: "-6.2", longitude: "106.8", placeName: "Monas" },
    { latitude: -6.2, longitude: 106.8, name: "Monas" },
  ],
  ["contact", { contactName: "Budi", phone: "+62 8" }, { name: "Budi", phone: "628" }],
  [
    "poll",
    { question: "When?", options: "Mon\n\n Tue " },
    { name: "When?", options: ["Mon", "Tue"], selectable: 1 },
  ],
  ["reaction", { messageId: "3EB0", emoji: "" }, { message_id: "3EB0", emoji: "" }],
];

it.each(table)("a request to send a %s", (kind, typed, fields) => {
  const request = built("shop", kind, { ...NOTHING_TYPED, ...TO, ...typed });
  expect(request).toEqual({
    path: `/message/send-${kind}`,
    fields: { session: "shop", to: "6281100000002", ...fields },
    ...(typed.file && { file: FILE }),
  });
});

it("says what is missing, for every kind", () => {
  const missing = Object.fromEntries(
    KINDS.map((kind) => [
      kind,
      Object.keys(built("shop", kind, NOTHING_TYPED))
        .sort()
        .join(" "),
    ]),
  );
  expect(missing).toEqual({
    text: "text to",
    image: "file to",
    document: "file to",
    video: "file to",
    audio: "file to",
    voice: "file to",
    sticker: "file to",
    location: "latitude longitude to",
    contact: "contactName phone to",
    poll: "options question selectable to",
    reaction: "messageId to",
  });
});

it.each([
  ["+62 (811) 00.00-02", "62811000002"],
  [" 12036304@g.us ", "12036304@g.us"],
])("the recipient %s is %s", (typed, to) => expect(recipient(typed)).toBe(to));
