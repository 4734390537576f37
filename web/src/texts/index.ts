// Another language: a file beside en.ts that is a `Texts`, and a line here.
import { en } from "./en";

export type Texts = typeof en;

const languages: Record<string, Texts> = { en };

const asked = typeof navigator === "undefined" ? [] : navigator.languages;
const wanted = asked.map((language) => language.split("-")[0] ?? "");

/** The language that is shown, for `lang`. */
export const language = wanted.find((one) => one in languages) ?? "en";

/** The same with the viewer's region, for numbers and dates. */
export const locale = asked.find((one) => one.split("-")[0] === language) ?? language;

/** Every text of the dashboard. */
export const t: Texts = languages[language] ?? en;
