import { expect, it } from "vitest";
import { chatName, failureInWords, personName } from "./message-words";

it.each([
  ["628110000002@s.whatsapp.net", "+628110000002"],
  ["12036304@g.us", "Group 12036304"],
  ["98451586@lid", "98451586@lid"],
])("the chat %s is called %s", (chat, name) => expect(chatName(chat)).toBe(name));

it.each([
  [null, "62811@s.whatsapp.net", "+62811"],
  ["Citra <b>", "62811@s.whatsapp.net", "Citra <b>"],
  ["62812:3@s.whatsapp.net", "12036304@g.us", "+62812, in Group 12036304"],
])("%s who writes in %s is called %s", (sender, chat, name) => expect(personName(sender, chat)).toBe(name));

it.each([
  ["not_on_whatsapp", "This number is not on WhatsApp."],
  ["a word of later versions", "a word of later versions"],
  [null, "It was not sent"],
])("the failure %s is said", (code, words) => expect(failureInWords(code)).toBe(words));
