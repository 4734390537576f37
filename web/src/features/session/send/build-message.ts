import { t } from "../../../texts";
import { FILES, isFileKind, type Kind } from "./kinds";

/** What was typed, as it was typed; all kinds share it, so that choosing another one loses nothing. */
export interface Typed {
  to: string;
  text: string;
  quoted: string;
  source: "file" | "url";
  url: string;
  file: File | null;
  documentName: string;
  latitude: string;
  longitude: string;
  placeName: string;
  address: string;
  contactName: string;
  organization: string;
  phone: string;
  question: string;
  options: string;
  selectable: string;
  messageId: string;
  emoji: string;
}

export const NOTHING_TYPED: Typed = {
  to: "",
  text: "",
  quoted: "",
  source: "file",
  url: "",
  file: null,
  documentName: "",
  latitude: "",
  longitude: "",
  placeName: "",
  address: "",
  contactName: "",
  organization: "",
  phone: "",
  question: "",
  options: "",
  selectable: "1",
  messageId: "",
  emoji: "👍",
};

export type Errors = Partial<Record<keyof Typed, string>>;

/** A request to the API: JSON, or a file with its fields. */
export interface Built {
  path: `/message/send-${Kind}`;
  fields: Record<string, unknown>;
  file?: File;
}

const FEWEST_OPTIONS = 2;
const MOST_OPTIONS = 12;

/** "+62 811-0000" as the API wants it; ids of groups and people stay as they are. */
export function recipient(to: string): string {
  const trimmed = to.trim();
  return trimmed.includes("@") ? trimmed : trimmed.replace(/[\s+().-]/g, "");
}

export const optionsOf = (options: string): string[] =>
  options
    .split("\n")
    .map((option) => option.trim())
    .filter(Boolean);

/** The request for what was typed; or what is wrong with it, by field. */
export function built(session: string, kind: Kind, typed: Typed): Built | Errors {
  const errors: Errors = {};
  const need = (
    field: keyof Typed,
    wrong = !String(typed[field] ?? "").trim(),
    text = t.session.form.needed,
  ) => {
    if (wrong) errors[field] = text;
  };
  need("to");
  const to = recipient(typed.to);
  const common = { session, to, ...(to.endsWith("@g.us") && { is_group: true }) };
  const quoting = typed.quoted.trim() ? { quoted_message_id: typed.quoted.trim() } : {};
  const request: Built = { path: `/message/send-${kind}`, fields: common };

  if (isFileKind(kind)) {
    Object.assign(request, fileRequest(kind, typed, { ...common, ...quoting }));
    if (typed.source === "file") need("file", !typed.file);
    else need("url");
    if (kind === "document" && typed.source === "url") need("documentName");
  } else {
    check(kind, typed, need);
    request.fields = { ...common, ...fieldsOf(kind, typed, quoting) };
  }
  return Object.keys(errors).length > 0 ? errors : request;
}

export const isBuilt = (result: Built | Errors): result is Built => "path" in result;

type Need = (field: keyof Typed, wrong?: boolean, text?: string) => void;

function check(kind: Kind, typed: Typed, need: Need) {
  const between = (value: string, limit: number) => !value.trim() || !(Math.abs(Number(value)) <= limit);
  const options = optionsOf(typed.options).length;
  switch (kind) {
    case "text":
      return need("text");
    case "location":
      need("latitude", between(typed.latitude, 90), t.session.form.badNumber);
      return need("longitude", between(typed.longitude, 180), t.session.form.badNumber);
    case "contact":
      need("contactName");
      return need("phone");
    case "poll":
      need("question");
      need("options", options < FEWEST_OPTIONS || options > MOST_OPTIONS, t.session.form.badOptions);
      return need(
        "selectable",
        !(Number(typed.selectable) >= 0 && Number(typed.selectable) <= options),
        t.session.form.badNumber,
      );
    case "reaction":
      return need("messageId");
  }
}

function fieldsOf(kind: Kind, typed: Typed, quoting: object): Record<string, unknown> {
  const optional = (fields: Record<string, string>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value.trim()));
  switch (kind) {
    case "location": {
      const place = { latitude: Number(typed.latitude), longitude: Number(typed.longitude) };
      return { ...place, ...optional({ name: typed.placeName, address: typed.address }) };
    }
    case "contact": {
      const card = { name: typed.contactName.trim(), phone: recipient(typed.phone) };
      return { ...card, ...optional({ organization: typed.organization }) };
    }
    case "poll":
      return {
        name: typed.question.trim(),
        options: optionsOf(typed.options),
        selectable: Number(typed.selectable),
      };
    case "reaction":
      return { message_id: typed.messageId.trim(), emoji: typed.emoji.trim() };
    default:
      return { text: typed.text, ...quoting };
  }
}

function fileRequest(
  kind: keyof typeof FILES,
  typed: Typed,
  common: Record<string, unknown>,
): Partial<Built> {
  const { url, caption } = FILES[kind];
  const fields = { ...common };
  if (caption) fields.text = typed.text;
  const name = typed.documentName.trim();
  if (kind === "document" && name) fields.document_name = name;
  if (typed.source === "file") return { fields, file: typed.file ?? undefined };
  return { fields: { ...fields, [url]: typed.url.trim() } };
}
