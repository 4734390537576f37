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
  ["not_on_whatsapp", "no account", "This number is not on WhatsApp."],
  ["of_later_versions", "the moon is full", "the moon is full"],
  ["of_later_versions", null, "of_later_versions"],
  [undefined, undefined, "It was not sent"],
])("the failure %s (%s) is said", (code, reason, words) => expect(failureInWords(code, reason)).toBe(words));
