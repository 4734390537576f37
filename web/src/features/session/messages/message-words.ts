import { t } from "../../../texts";
import { phone } from "../../../ui/format";

/** A chat as people call it: a number, or a group. */
export function chatName(chat: string): string {
  if (chat.endsWith("@g.us")) return `${t.session.list.group} ${chat.replace(/@.*$/, "")}`;
  if (chat.endsWith("@lid")) return chat;
  return phone(chat);
}

/** Who wrote it: what they call themselves, or their number; in a group, the group as well. */
export function personName(sender: string | null | undefined, chat: string): string {
  const group = chat.endsWith("@g.us");
  if (!sender) return chatName(chat);
  const person = /^\d+(:\d+)?@/.test(sender) && !sender.endsWith("@lid") ? phone(sender) : sender;
  return group ? `${person}, ${t.session.list.in(chatName(chat))}` : person;
}

export const kindName = (kind: string): string =>
  (t.session.kinds as Record<string, string>)[kind] ?? kind.replaceAll("_", " ");

/** Why a message was not sent: by its stable word, else as the gateway says it. */
export function failureInWords(code: string | null | undefined, reason?: string | null): string {
  const known = (t.session.failures as Record<string, string>)[code ?? ""];
  return known ?? reason ?? code ?? t.session.form.failedTitle;
}
